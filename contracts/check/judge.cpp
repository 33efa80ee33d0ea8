// SPDX-License-Identifier: Apache-2.0
#include "judge.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string_view>

#include "evidence.hpp"
#include "files.hpp"
#include "history.hpp"
#include "sluice/core/hash.hpp"
#include "sluice/io/mapped_file.hpp"

namespace sluice::contracts {

namespace {

using nlohmann::json;

bool contains(const std::vector<std::string>& list, const std::string& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
}

//! Whether a text has this word, perhaps at the end of a sentence.
bool names(const std::string& text, const std::string& wanted) {
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (word.substr(0, word.find_last_not_of(".,;:") + 1) == wanted) return true;
    }
    return false;
}

//! Whether a name of a falsifier's policies is that of this policy, or stands for it: a * is any text.
bool stands_for(std::string_view name, std::string_view policy) {
    const std::size_t star = name.find('*');
    if (star == name.npos) return name == policy;
    if (policy.substr(0, star) != name.substr(0, star)) return false;
    for (std::size_t i = star; i <= policy.size(); ++i) {
        if (stands_for(name.substr(star + 1), policy.substr(i))) return true;
    }
    return false;
}

class Judge {
public:
    Judge(const Records& records, std::filesystem::path directory, std::filesystem::path source, bool is_strict,
          Findings& findings)
        : records_(records),
          evidence_(std::move(directory) / "evidence"),
          source_(std::move(source)),
          is_strict_(is_strict),
          findings_(findings) {}

    Findings skipped, notes;

    Verdict verdict(const Contract& contract, const Falsifier& f) {
        const std::size_t before = findings_.size();
        where_ = f.where + " " + f.id;
        skipped_here_.clear();
        unsure_cases_.clear();
        if (f.laws.empty() && f.tests.empty() && f.evidence.empty()) {
            found("nothing tries to falsify it", "name laws, tests or evidence");
        }
        if (!f.laws.empty() && f.policies.empty()) {
            found("it names laws, and no policies", "name those that the laws must have run on");
        }
        check_excuse(f);
        for (const std::string& law : f.laws) check_law(law, f);
        for (const std::string& policy : f.policies) check_policy(policy, f);
        for (const std::string& test : f.tests) check_test(test, f);
        if (f.mutants.empty() && f.no_mutants_because.empty()) {
            found("no mutant shows that it can fail", "name one, or say no_mutants_because");
        } else if (!f.mutants.empty() && !f.no_mutants_because.empty()) {
            found("it names mutants and says why it has none", "leave out no_mutants_because");
        }
        for (const std::string& mutant : f.mutants) check_mutant(mutant, f);
        for (const std::string& name : unsure_cases_) {
            found("the test case '" + name + "', which ran its laws, has not passed",
                  "run ctest -R for it, and mend what it shows");
        }
        for (const std::string& file : f.evidence) check_evidence_file(file, contract, f);
        return {findings_.size() == before, skipped_here_.size()};
    }

    //! Laws and evidence that no falsifier has named, and mutants that survived.
    void find_left_over() {
        std::set<std::string> laws;
        for (const LawRecord& law : records_.laws) laws.insert(law.law);
        for (const std::string& law : laws) {
            if (named_laws_.count(law) > 0) continue;
            find(findings_, law, "the law belongs to no falsifier", "name it in a contract");
        }
        for (const MutantRecord& mutant : records_.mutants) {
            if (mutant.killed) continue;
            find(findings_, mutant.law, "the mutant '" + mutant.name + "' survives it", "sharpen the law");
        }
        for (const std::filesystem::path& path : files_of(evidence_, ".json")) {
            const std::string name = path.filename().string();
            if (named_evidence_.count(name) > 0) continue;
            find(findings_, "evidence/" + name, "no falsifier names it", "name it in a contract, or remove it");
        }
    }

private:
    void found(std::string what, std::string mend) { find(findings_, where_, std::move(what), std::move(mend)); }

    void check_excuse(const Falsifier& f) {
        const auto is_named = [&](const std::string& law) { return names(f.few_cases_because, law); };
        if (f.few_cases_because.empty() || std::any_of(f.laws.begin(), f.laws.end(), is_named)) return;
        found("few_cases_because names none of its laws", "name each that runs few, or leave it out");
    }

    void check_law(const std::string& law, const Falsifier& f) {
        named_laws_.insert(law);
        bool was_run = false;
        for (const LawRecord& record : records_.laws) {
            if (record.law != law) continue;
            was_run = true;
            if (!record.passed) {
                found("the law " + law + " fails on " + record.subject, "run ctest -L law for the case");
            } else if (record.expectations == 0) {
                found("the law " + law + " states nothing that could fail on " + record.subject,
                      "let its cases expect something");
            } else if (!record.case_passed) {
                unsure_cases_.insert(record.test_case);
            }
        }
        if (!was_run) return found("no law " + law + " ran in this build", "mend the id, or run ctest -L law");
        if (!f.policies.empty()) check_runs(law, f);
        const bool can_fail =
            std::any_of(records_.mutants.begin(), records_.mutants.end(), [&](const MutantRecord& mutant) {
                return contains(f.mutants, mutant.name) && concept_of(mutant.law) == concept_of(law) &&
                       contains(mutant.killed_by, law);
            });
        if (!can_fail) found("no mutant is named that the law " + law + " killed", "name one, or write one");
    }

    //! A law has run on each policy of its concept that the falsifier names, a thousand cases unless few are excused.
    void check_runs(const std::string& law, const Falsifier& f) {
        constexpr int enough = 1000;
        const bool is_excused = names(f.few_cases_because, law);
        bool is_short = false;
        const std::set<std::string> policies = policies_of(concept_of(law), f);
        for (const std::string& policy : policies) {
            bool was_run_here = false;
            int fewest = enough;
            for (const LawRecord& record : records_.laws) {
                if (record.subject != policy || record.law != law) continue;
                was_run_here = true;
                if (record.passed) fewest = std::min(fewest, record.cases);
            }
            if (!was_run_here) {
                found("the law " + law + " did not run on " + policy, "mend the name, or register the policy");
            } else if (fewest < enough && !is_excused) {
                found("the law " + law + " ran " + std::to_string(fewest) + " cases on " + policy + ", not " +
                          std::to_string(enough),
                      "let it run more, or name it in few_cases_because");
            }
            is_short = is_short || fewest < enough;
        }
        if (policies.empty()) {
            found("the law " + law + " ran on none of the policies", "name one that it must have run on");
        } else if (is_excused && !is_short) {
            found("few_cases_because names the law " + law + ", which ran enough", "leave it out");
        }
    }

    //! The policies of a concept that the falsifier's names stand for, all that fit.
    std::set<std::string> policies_of(const std::string& of, const Falsifier& f) const {
        std::set<std::string> policies;
        for (const LawRecord& record : records_.laws) {
            const auto is_named = [&](const std::string& name) { return stands_for(name, record.subject); };
            if (concept_of(record.law) == of && std::any_of(f.policies.begin(), f.policies.end(), is_named)) {
                policies.insert(record.subject);
            }
        }
        return policies;
    }

    void check_policy(const std::string& policy, const Falsifier& f) {
        bool was_run = false, was_run_here = false;
        for (const LawRecord& record : records_.laws) {
            if (!contains(f.laws, record.law)) continue;
            was_run = true;
            was_run_here = was_run_here || stands_for(policy, record.subject);
        }
        if (!was_run || was_run_here) return;
        found("none of its laws ran on " + policy, "mend the name, or register the policy");
    }

    //! A name is that of a test case, or of a templated one without its type.
    static bool is_of(const CaseRecord& record, const std::string& test) {
        return record.name == test || record.name.rfind(test + "<", 0) == 0;
    }

    //! Of the programs that a falsifier names, those that this machine cannot build or run leave no record.
    void check_test(const std::string& test, const Falsifier& f) {
        for (const std::string& program : f.programs) {
            const auto ran_there = [&](const CaseRecord& record) {
                return is_of(record, test) && record.program == program && record.result != "skipped";
            };
            if (std::any_of(records_.cases.begin(), records_.cases.end(), ran_there)) continue;
            const bool is_told = !skipped_here_.insert(program).second;  // once for each program
            if (is_told && !is_strict_) continue;
            find(is_strict_ ? findings_ : skipped, where_, "the test case '" + test + "' did not run in " + program,
                 "build and run it where that can run");
        }
        bool was_run = false, is_skipped = false;
        for (const CaseRecord& record : records_.cases) {
            if (!is_of(record, test)) continue;
            if (record.result == "skipped") {
                is_skipped = true;
            } else if (record.result == "outdated") {
                found("the test case '" + record.name + "' has not run since its program was built", "run ctest");
            } else if (record.result != "passed") {
                found("the test case '" + record.name + "' " +
                          (record.result == "failed" ? "failed" : "was begun, but has not ended"),
                      "run ctest -R for it, and mend what it shows");
            } else if (record.assertions == 0) {
                found("the test case '" + record.name + "' asserted nothing", "let it check something");
            }
            was_run = was_run || record.result != "skipped";
        }
        if (was_run) return;
        if (is_skipped) {
            found("the test case '" + test + "' was skipped", "run it where it can run");
        } else {
            found("no test case '" + test + "' ran in this build", "mend the name, or run ctest");
        }
    }

    void check_mutant(const std::string& name, const Falsifier& f) {
        bool exists = false, killed = false;
        for (const MutantRecord& mutant : records_.mutants) {
            for (const std::string& law : f.laws) {
                if (mutant.name != name || concept_of(mutant.law) != concept_of(law)) continue;
                exists = true;
                killed = killed || contains(mutant.killed_by, law);
                if (!mutant.case_passed) unsure_cases_.insert(mutant.test_case);
            }
        }
        if (!exists) {
            found("no mutant '" + name + "' for its laws ran in this build", "mend the name, or run ctest -L law");
        }
        if (exists && !killed) {
            found("the mutant '" + name + "' was killed by none of this falsifier's laws",
                  "name the law that kills it");
        }
    }

    void check_evidence_file(const std::string& name, const Contract& contract, const Falsifier& f) {
        named_evidence_.insert(name);
        const std::string where = "evidence/" + name;
        if (!std::filesystem::exists(evidence_ / name)) {
            return found("there is no " + where, "run the program that writes it; docs/contracts.md lists them");
        }
        const json evidence = json::parse(text_of(evidence_ / name), nullptr, false);
        const std::size_t before = findings_.size();
        check_evidence(evidence, where, findings_);
        if (findings_.size() > before) return;
        const auto wrong = [&](std::string what, std::string mend) {
            find(findings_, where, std::move(what), std::move(mend));
        };
        if (evidence["contract"] != contract.id || evidence["falsifier"] != f.id) {
            wrong("it is for " + evidence["contract"].get<std::string>() + " " +
                      evidence["falsifier"].get<std::string>() + ", but " + contract.id + " " + f.id + " names it",
                  "name the file that is for this falsifier");
        }
        if (evidence["version"] != contract.version) {
            wrong("it is for version " + evidence["version"].dump() + " of " + contract.id, "run its command again");
        }
        if (evidence["claim"] != f.statement) {
            wrong("its claim is not the statement of " + f.id, "state what the program claims, and run it again");
        }
        if (hash_of_program(source_ / evidence["program"]["source"].get<std::string>()) !=
            evidence["program"]["xxh3"]) {
            wrong("it was written by another program than there is now, by its hash", "run its command again");
        }
        // Evidence is of one program and one commit. What the library does since is for a person to weigh: to run all
        // anew after each change takes hours on an idle machine.
        if (const int commits = library_commits_since(evidence["git_version"], source_); commits > 0) {
            find(notes, where,
                 std::to_string(commits) + (commits == 1 ? " commit has" : " commits have") +
                     " changed the library since it was written",
                 "run its command again before a release");
        }
        if (!evidence["holds"]) wrong("the run did not show its claim", "mend what it measured");
        const std::string model_file = evidence["model"]["file"];
        const auto model = MappedFile::open(source_ / model_file);
        if (!model.ok()) {
            find(skipped, where, "its model " + model_file + " is not here to be compared by its hash",
                 "put the file there");
        } else if (to_hex(hash_bytes(model->bytes())) != evidence["model"]["xxh3"]) {
            wrong("the model is another than was measured, by its hash", "run its command again");
        }
    }

    const Records& records_;
    std::filesystem::path evidence_, source_;
    bool is_strict_;
    Findings& findings_;
    std::string where_;
    std::set<std::string> named_laws_, named_evidence_;
    std::set<std::string> skipped_here_, unsure_cases_;  // of the falsifier in hand
};

}  // namespace

Judgement judge(const std::vector<Contract>& contracts, const Records& records, const std::filesystem::path& directory,
                const std::filesystem::path& source, bool is_strict, Findings& findings) {
    const bool all_were_read = findings.empty();
    Judge judge(records, directory, source, is_strict, findings);
    std::vector<Verdict> verdicts;
    for (const Contract& contract : contracts) {
        for (const Falsifier& f : contract.falsifiers) verdicts.push_back(judge.verdict(contract, f));
    }
    if (all_were_read) judge.find_left_over();
    return {std::move(verdicts), std::move(judge.skipped), std::move(judge.notes)};
}

}  // namespace sluice::contracts
