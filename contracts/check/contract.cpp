// SPDX-License-Identifier: Apache-2.0
#include "contract.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <regex>
#include <set>
#include <span>
#include <string_view>
#include <yaml-cpp/yaml.h>

#include "files.hpp"

namespace sluice::contracts {

namespace {

enum class Kind { text, number, date, texts, map, maps };

//! A key that a mapping may have.
struct Key {
    std::string_view name;
    Kind kind = Kind::text;
    std::span<const Key> inner{};  //!< the keys of a map, or of each of several maps
    bool required = true;
};

constexpr Key metadata_keys[] = {{"id"}, {"version", Kind::number}, {"date", Kind::date}, {"references", Kind::texts}};
constexpr Key falsifier_keys[] = {{"id"},
                                  {"statement"},
                                  {"how"},
                                  {"laws", Kind::texts, {}, false},
                                  {"policies", Kind::texts, {}, false},
                                  {"few_cases_because", Kind::text, {}, false},
                                  {"tests", Kind::texts, {}, false},
                                  {"programs", Kind::texts, {}, false},
                                  {"mutants", Kind::texts, {}, false},
                                  {"no_mutants_because", Kind::text, {}, false},
                                  {"evidence", Kind::texts, {}, false}};
constexpr Key status_keys[] = {{"date", Kind::date}, {"version", Kind::number}, {"note"}};
constexpr Key contract_keys[] = {
    {"metadata", Kind::map, metadata_keys},     {"description"},           {"equations", Kind::texts},
    {"falsifiers", Kind::maps, falsifier_keys}, {"in_scope", Kind::texts}, {"out_of_scope", Kind::texts},
    {"status", Kind::maps, status_keys}};

std::string_view description_of(Kind kind) {
    switch (kind) {
        case Kind::text:
            return "a text";
        case Kind::number:
            return "a number from 1 on";
        case Kind::date:
            return "a date such as 2026-01-31";
        case Kind::texts:
            return "a list of texts";
        case Kind::map:
            return "a mapping";
        case Kind::maps:
            return "a list of mappings";
    }
    return "";
}

bool matches(const YAML::Node& node, const char* pattern) {
    return node.IsScalar() && std::regex_match(node.Scalar(), std::regex(pattern));
}

bool is_a(const YAML::Node& node, Kind kind) {
    const auto all = [&](auto is_right) {
        return node.IsSequence() && node.size() > 0 && std::all_of(node.begin(), node.end(), is_right);
    };
    switch (kind) {
        case Kind::text:
            return node.IsScalar() && !node.Scalar().empty();
        case Kind::number:
            return matches(node, "[1-9][0-9]{0,8}");
        case Kind::date:
            return matches(node, "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])");
        case Kind::texts:
            return all([](const YAML::Node& item) { return is_a(item, Kind::text); });
        case Kind::map:
            return node.IsMap();
        case Kind::maps:
            return all([](const YAML::Node& item) { return item.IsMap(); });
    }
    return false;
}

//! Checks one file, and reads it if it has no fault.
class Reader {
public:
    Reader(const std::filesystem::path& path, Findings& findings)
        : file_(path.filename().string()), id_(path.stem().string()), findings_(findings) {}

    std::vector<Contract> read(const std::string& text) {
        const std::size_t before = findings_.size();
        try {
            const YAML::Node root = YAML::Load(text);
            if (!root.IsMap()) {
                find(findings_, file_, "it is not a mapping", "see docs/contracts.md for the keys of a contract");
                return {};
            }
            check_keys(root, contract_keys, "the contract");
            if (findings_.size() == before) check_names(root);
            if (findings_.size() == before) return {contract_of(root)};
        } catch (const YAML::Exception& error) {
            find(findings_, at(error.mark), "it is not YAML: " + error.msg, "mend the syntax");
        }
        return {};
    }

private:
    std::string at(const YAML::Mark& mark) const {
        return mark.is_null() ? file_ : file_ + ":" + std::to_string(mark.line + 1);
    }

    void check_keys(const YAML::Node& map, std::span<const Key> keys, const std::string& owner) {
        std::set<std::string> seen;
        for (const auto& entry : map) {
            const std::string name = entry.first.Scalar();
            const std::string where = at(entry.first.Mark());
            const auto key = std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
            if (key == keys.end()) {
                find(findings_, where, owner + " has the unknown key '" + name + "'",
                     "remove it; known are" + list(keys));
            } else if (!seen.insert(name).second) {
                find(findings_, where, owner + " has the key '" + name + "' twice", "keep one");
            } else if (!is_a(entry.second, key->kind)) {
                find(findings_, where, "'" + name + "' is not " + std::string(description_of(key->kind)),
                     key->required ? "write one" : "write one, or leave the key out");
            } else if (key->kind == Kind::map) {
                check_keys(entry.second, key->inner, name);
            } else if (key->kind == Kind::maps) {
                for (const auto& item : entry.second) check_keys(item, key->inner, "an item of " + name);
            }
        }
        for (const Key& key : keys) {
            if (!key.required || seen.count(std::string(key.name)) > 0) continue;
            find(findings_, at(map.Mark()), owner + " has no key '" + std::string(key.name) + "'",
                 "add it: " + std::string(description_of(key.kind)));
        }
    }

    void check_names(const YAML::Node& root) {
        const YAML::Node metadata = root["metadata"];
        const std::string id = metadata["id"].Scalar(), version = metadata["version"].Scalar();
        if (id != id_) {
            find(findings_, at(metadata["id"].Mark()), "the id is '" + id + "', the file is named '" + id_ + "'",
                 "give both one name");
        }
        const std::string end = "-v" + version;
        if (id.size() <= end.size() || id.compare(id.size() - end.size(), end.size(), end) != 0) {
            find(findings_, at(metadata["version"].Mark()), "the id '" + id + "' does not end with '" + end + "'",
                 "a changed contract has a new version, and a file of its name");
        }
        const YAML::Node last = root["status"][root["status"].size() - 1];
        if (last["version"].Scalar() != version) {
            find(findings_, at(last.Mark()), "the status history ends with another version than " + version,
                 "tell there what became of this version");
        }
        std::set<std::string> seen;
        for (const auto& falsifier : root["falsifiers"]) {
            const std::string where = at(falsifier.Mark()), falsifier_id = falsifier["id"].Scalar();
            if (!matches(falsifier["id"], ("V" + version + "_[0-9]{3}").c_str())) {
                find(findings_, where, "the falsifier's id '" + falsifier_id + "' is not such as V" + version + "_001",
                     "give it the contract's version and three digits");
            }
            if (!seen.insert(falsifier_id).second) {
                find(findings_, where, "the falsifier's id '" + falsifier_id + "' comes twice", "number them anew");
            }
        }
    }

    Contract contract_of(const YAML::Node& root) const {
        Contract contract{id_, root["metadata"]["version"].as<int>(), {}};
        const auto texts = [](const YAML::Node& node) {
            return node ? node.as<std::vector<std::string>>() : std::vector<std::string>{};
        };
        const auto text = [](const YAML::Node& node) { return node ? node.Scalar() : std::string(); };
        for (const auto& f : root["falsifiers"]) {
            contract.falsifiers.push_back({.id = f["id"].Scalar(),
                                           .statement = f["statement"].Scalar(),
                                           .laws = texts(f["laws"]),
                                           .policies = texts(f["policies"]),
                                           .tests = texts(f["tests"]),
                                           .programs = texts(f["programs"]),
                                           .mutants = texts(f["mutants"]),
                                           .evidence = texts(f["evidence"]),
                                           .no_mutants_because = text(f["no_mutants_because"]),
                                           .few_cases_because = text(f["few_cases_because"]),
                                           .where = at(f.Mark())});
        }
        return contract;
    }

    static std::string list(std::span<const Key> keys) {
        std::string names;
        for (const Key& key : keys) names += (names.empty() ? " " : ", ") + std::string(key.name);
        return names;
    }

    std::string file_, id_;
    Findings& findings_;
};

}  // namespace

std::vector<Contract> read_contracts(const std::filesystem::path& directory, Findings& findings) {
    std::vector<Contract> contracts;
    for (const std::filesystem::path& path : files_of(directory, ".yaml")) {
        for (Contract& contract : Reader(path, findings).read(text_of(path))) contracts.push_back(std::move(contract));
    }
    if (contracts.empty() && findings.empty()) {
        find(findings, directory.string(), "no *.yaml is here", "give the directory of the contracts");
    }
    return contracts;
}

}  // namespace sluice::contracts
