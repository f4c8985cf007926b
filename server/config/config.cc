#include "server/config/config.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/config/keys.h"
#include "server/config/listen.h"

namespace kith::config {
namespace {

// Notes where documents start.
class DocumentStarts final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { last = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  YAML::Mark last;
};

// Where there is one. Not by YAML::LoadAll: what can start no document, such as a comma, is the start of one document
// after the other to yaml-cpp, without end.
std::optional<YAML::Mark> SecondDocument(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentStarts starts;
  if (parser.HandleNextDocument(starts) && parser.HandleNextDocument(starts)) return starts.last;
  return std::nullopt;
}

// Goes through one file and fills a Config. Descends into known sections only, so that an alias to its own ancestor
// ends the walk like any unknown key.
class Reader {
 public:
  explicit Reader(absl::string_view file_name) : file_name_(file_name) {}

  absl::StatusOr<Config> Read(const std::string& text) {
    if (const auto second = SecondDocument(text)) {
      return Bad(*second, "a second YAML document; a configuration is one document");
    }
    const YAML::Node document = YAML::Load(text);
    if (document.IsNull()) return config_;
    if (!document.IsMap()) return Bad(document.Mark(), "keys and values are expected, such as 'listen: HOST:PORT'");
    if (absl::Status status = ReadSection(document, ""); !status.ok()) return status;
    for (const Rule& rule : Rules()) {
      if (const absl::Status status = rule.check(config_); !status.ok()) {
        return BadAt(LineOfAny(rule.keys), status.message());
      }
    }
    return config_;
  }

 private:
  absl::Status ReadSection(const YAML::Node& section, absl::string_view prefix) {
    for (const auto& item : section) {
      if (!item.first.IsScalar()) return Bad(item.first.Mark(), "a key must be a plain word");
      const std::string name = absl::StrCat(prefix, item.first.Scalar());
      if (absl::Status status = ReadItem(name, item.first.Mark(), item.second); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadItem(const std::string& name, const YAML::Mark& mark, const YAML::Node& value) {
    const auto bad = [&](absl::string_view message) { return Bad(mark, absl::StrCat(name, ": ", message)); };
    const Key* key = FindKey(name);
    if (key == nullptr && !IsSection(name)) return bad(Advice(name));
    const auto [earlier, added] = lines_.emplace(name, mark.line + 1);
    if (!added) return bad(absl::StrCat("a second time; the first is in line ", earlier->second));
    if (key == nullptr) {
      if (value.IsNull()) return absl::OkStatus();  // all its keys are commented out
      if (!value.IsMap()) return bad("a section; its keys follow below it, indented");
      return ReadSection(value, absl::StrCat(name, "."));
    }
    if (value.IsNull()) return bad("has no value; give one or remove the key");
    if (key->list) return ReadList(*key, value, mark);
    if (!value.IsScalar()) return bad("takes a single value, not a list or a section");
    if (const absl::Status status = key->set(value.Scalar(), config_); !status.ok()) return bad(status.message());
    return absl::OkStatus();
  }

  absl::Status ReadList(const Key& key, const YAML::Node& list, const YAML::Mark& mark) {
    if (!list.IsSequence()) return Bad(mark, absl::StrCat(key.name, ": takes a list, such as [a, b]"));
    for (const YAML::Node& item : list) {
      const auto bad = [&](absl::string_view message) {
        return Bad(item.Mark(), absl::StrCat(key.name, ": ", message));
      };
      // An empty one is marked where the next token stands, which may be lines below.
      if (item.IsNull()) return Bad(mark, absl::StrCat(key.name, ": its list has an empty value; remove it"));
      if (!item.IsScalar()) return bad("its list takes single values only");
      if (const absl::Status status = key.set(item.Scalar(), config_); !status.ok()) return bad(status.message());
    }
    return absl::OkStatus();
  }

  // Of the first of the keys that the file has.
  int LineOfAny(const std::vector<std::string>& keys) const {
    for (const std::string& key : keys) {
      if (const auto line = lines_.find(key); line != lines_.end()) return line->second;
    }
    return 1;
  }

  absl::Status Bad(const YAML::Mark& mark, absl::string_view message) const { return BadAt(mark.line + 1, message); }

  absl::Status BadAt(int line, absl::string_view message) const {
    return Error(Reason::kBadParameter, absl::StrCat(file_name_, ":", line, ": ", message));
  }

  const absl::string_view file_name_;
  Config config_;
  std::map<std::string, int> lines_;  // where each key stands
};

}  // namespace

int64_t Memory::Budget::Of(int64_t usable) const {
  return bytes.value_or(std::max(kLeastBudget, usable / 100 * percent));
}

absl::StatusOr<Config> Load(const std::string& path) {
  const auto unreadable = [&](absl::string_view why) {
    return Error(Reason::kBadParameter, absl::StrCat(path, ": the configuration cannot be read: ", why));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return unreadable("it is a folder; give a file");
  std::ifstream file(path);
  if (!file.is_open()) return unreadable(std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return Parse(text.str(), path);
}

absl::StatusOr<Config> Parse(const std::string& text, absl::string_view file_name) {
  try {
    return Reader(file_name).Read(text);
  } catch (const YAML::Exception& error) {
    return Error(Reason::kBadParameter,
                 absl::StrCat(file_name, ":", error.mark.line + 1, ": not valid YAML: ", error.msg));
  }
}

absl::StatusOr<Config> WithOverrides(Config config, const Overrides& overrides) {
  struct Flag {
    absl::string_view name;
    absl::string_view key;
    const std::optional<std::string>& value;
  };
  for (const Flag& flag :
       {Flag{"--listen", "listen", overrides.listen}, Flag{"--data-dir", "data_dir", overrides.data_dir},
        Flag{"--log-level", "log.level", overrides.log_level}, Flag{"KITH_INSECURE", "insecure", overrides.insecure}}) {
    if (!flag.value) continue;
    if (const absl::Status status = FindKey(flag.key)->set(*flag.value, config); !status.ok()) {
      return Error(Reason::kBadParameter, absl::StrCat(flag.name, ": ", status.message()));
    }
  }
  return config;
}

absl::Status CheckExposure(const Config& config) {
  if (config.tls.enabled() || config.auth.enabled() || config.insecure) return absl::OkStatus();
  for (const auto& [key, address] :
       {std::pair<absl::string_view, const std::string&>("listen", config.listen),
        std::pair<absl::string_view, const std::string&>("http.listen", config.http.listen)}) {
    if (address.empty()) continue;
    const auto listen = ParseListen(address);
    if (!listen.ok()) return listen.status();
    if (IsLoopback(*listen)) continue;
    return Error(
        Reason::kBadParameter,
        absl::StrCat(key, ": other machines can reach ", address,
                     ", and neither tls.cert nor auth.tokens is set; set one of them (docs/security.md), listen "
                     "on 127.0.0.1, or say insecure: true (in the environment KITH_INSECURE=true) if whoever "
                     "reaches it may do everything"));
  }
  return absl::OkStatus();
}

}  // namespace kith::config
