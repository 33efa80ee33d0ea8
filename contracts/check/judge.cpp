// SPDX-License-Identifier: Apache-2.0
#include "judge.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "evidence.hpp"
#include "files.hpp"
#include "sluice/core/hash.hpp"
#include "sluice/io/mapped_file.hpp"

namespace sluice::contracts {

namespace {

using nlohmann::json;

bool contains(const std::vector<std::string>& list, const std::string& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
}

class Judge {
public:
    Judge(const Records& records, std::filesystem::path directory, std::filesystem::path source, Findings& findings)
        : records_(records),
          evidence_(std::move(directory) / "evidence"),
          source_(std::move(source)),
          findings_(findings) {}

    std::vector<std::string> skipped;

    bool holds(const Contract& contract, const Falsifier& f) {
        const std::size_t before = findings_.size();
        where_ = f.where + " " + f.id;
        if (f.laws.empty() && f.tests.empty() && f.evidence.empty()) {
            found("nothing tries to falsify it", "name laws, tests or evidence");
        }
        for (const std::string& law : f.laws) check_law(law, f);
        check_cases(f);
        for (const std::string& test : f.tests) check_test(test, f);
        if (f.mutants.empty() && f.no_mutants_because.empty()) {
            found("no mutant shows that it can fail", "name one, or say no_mutants_because");
        } else if (!f.mutants.empty() && !f.no_mutants_because.empty()) {
            found("it names mutants and says why it has none", "leave out no_mutants_because");
        }
        for (const std::string& mutant : f.mutants) check_mutant(mutant, f);
        for (const std::string& file : f.evidence) check_evidence_file(file, contract, f);
        return findings_.size() == before;
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

    void check_law(const std::string& law, const Falsifier& f) {
        named_laws_.insert(law);
        bool was_run = false;
        for (const LawRecord& record : records_.laws) {
            if (record.law != law) continue;
            was_run = true;
            if (!record.passed)
                found("the law " + law + " fails on " + record.subject, "run ctest -L law for the case");
        }
        if (!was_run) return found("no law " + law + " ran in this build", "mend the id, or run ctest -L law");
        for (const std::string& policy : f.policies) {
            const auto is_that = [&](const LawRecord& record) {
                return record.law == law && record.subject.rfind(policy, 0) == 0;
            };
            if (std::any_of(records_.laws.begin(), records_.laws.end(), is_that)) continue;
            found("the law " + law + " did not run on " + policy, "mend the name, or register the policy");
        }
        const bool can_fail =
            std::any_of(records_.mutants.begin(), records_.mutants.end(), [&](const MutantRecord& mutant) {
                return contains(f.mutants, mutant.name) && contains(mutant.killed_by, law);
            });
        if (!can_fail) found("no mutant is named that the law " + law + " killed", "name one, or write one");
    }

    //! Each law has run a thousand cases on one policy at least.
    void check_cases(const Falsifier& f) {
        constexpr int enough = 1000;
        bool any_is_short = false;
        for (const std::string& law : f.laws) {
            int most = 0;
            for (const LawRecord& record : records_.laws) {
                if (record.law == law) most = std::max(most, record.passed ? record.cases : enough);
            }
            if (most == 0 || most >= enough) continue;
            any_is_short = true;
            if (!f.few_cases_because.empty()) continue;
            found("the law " + law + " ran " + std::to_string(most) + " cases at most, not " + std::to_string(enough),
                  "let it run more, or say few_cases_because");
        }
        if (!f.few_cases_because.empty() && !any_is_short) {
            found("it says why a law runs few cases, and none does", "leave out few_cases_because");
        }
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
            skipped.push_back(where_ + ": the test case '" + test + "' did not run in " + program);
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
            if (mutant.name != name) continue;
            exists = true;
            killed = killed || std::any_of(f.laws.begin(), f.laws.end(),
                                           [&](const std::string& law) { return contains(mutant.killed_by, law); });
        }
        if (!exists) found("no mutant '" + name + "' ran in this build", "mend the name, or run ctest -L law");
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
        if (!evidence["holds"]) wrong("the run did not show its claim", "mend what it measured");
        const auto model = MappedFile::open(source_ / evidence["model"]["file"].get<std::string>());
        if (model.ok() && to_hex(hash_bytes(model->bytes())) != evidence["model"]["xxh3"]) {
            wrong("the model is another than was measured, by its hash", "run its command again");
        }
    }

    const Records& records_;
    std::filesystem::path evidence_, source_;
    Findings& findings_;
    std::string where_;
    std::set<std::string> named_laws_, named_evidence_;
};

}  // namespace

Judgement judge(const std::vector<Contract>& contracts, const Records& records, const std::filesystem::path& directory,
                const std::filesystem::path& source, Findings& findings) {
    const bool all_were_read = findings.empty();
    Judge judge(records, directory, source, findings);
    std::vector<bool> holds;
    for (const Contract& contract : contracts) {
        for (const Falsifier& f : contract.falsifiers) holds.push_back(judge.holds(contract, f));
    }
    if (all_were_read) judge.find_left_over();
    return {std::move(holds), std::move(judge.skipped)};
}

}  // namespace sluice::contracts
