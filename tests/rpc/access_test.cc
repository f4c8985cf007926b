// Holds the table of docs/security.md and the code equal, and every RPC in both.
#include "server/rpc/access.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "kith/v1/experiments.pb.h"
#include "kith/v1/retrieval.pb.h"

namespace kith::rpc {
namespace {

std::set<std::string> RpcsOfTheApi() {
  std::set<std::string> names;
  for (const auto* file : {v1::SearchRequest::descriptor()->file(), v1::LoadRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) names.insert(file->service(i)->method(j)->name());
    }
  }
  return names;
}

// The names between backquotes in a cell.
std::vector<std::string> Quoted(const std::string& cell) {
  const std::vector<std::string> parts = absl::StrSplit(cell, '`');
  std::vector<std::string> names;
  for (size_t i = 1; i < parts.size(); i += 2) names.push_back(parts[i]);
  return names;
}

// "scope of what" of each RPC in the page's table: | `read` | what | `Search`, `Expand` |
std::map<std::string, std::string> TableOfThePage() {
  std::map<std::string, std::string> table;
  std::ifstream page(KITH_SECURITY_PAGE);
  for (std::string line; std::getline(page, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5) continue;
    const std::vector<std::string> scope = Quoted(cells[1]);
    if (scope.size() != 1 || !token::ParseScopes(scope[0]).ok()) continue;
    for (const std::string& rpc : Quoted(cells[3])) {
      EXPECT_TRUE(table.emplace(rpc, absl::StrCat(scope[0], " of", cells[2])).second) << rpc << " is there twice";
    }
  }
  return table;
}

std::string SubjectText(auth::Subject subject) {
  switch (subject) {
    case auth::Subject::kExperiment:
      return "the experiment that it names";
    case auth::Subject::kListed:
      return "experiments, of which it shows those that the token is for";
    case auth::Subject::kServer:
      return "all experiments: the token has to be for `*`";
  }
  return "";
}

TEST(Access, IsThatOfTheDocumentation) {
  std::map<std::string, std::string> code;
  for (int i = 0; i < telemetry::kRpcs; ++i) {
    const auto rpc = static_cast<telemetry::Rpc>(i);
    const Access access = AccessOf(rpc);
    code[std::string(telemetry::RpcName(rpc))] =
        absl::StrCat(token::ScopesText(access.scope), " of ", SubjectText(access.subject), " ");
  }
  EXPECT_EQ(TableOfThePage(), code);
}

TEST(Access, EveryRpcHasARow) {
  std::set<std::string> in_page;
  for (const auto& [rpc, access] : TableOfThePage()) in_page.insert(rpc);
  EXPECT_EQ(in_page, RpcsOfTheApi());
}

}  // namespace
}  // namespace kith::rpc
