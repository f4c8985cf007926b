// kith token create, list, revoke: the file of tokens that a server takes (auth.tokens). No server is asked.
#include <memory>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "common/token/token.h"
#include "common/token/token_file.h"

namespace kith::cli {
namespace {

struct TokenArguments {
  std::string file;
  std::string scopes = "read";
  std::vector<std::string> experiments;
  std::string comment;
  std::string id;
};

Json EntryJson(const token::Entry& entry) {
  return {{"id", entry.id},
          {"scopes", token::ScopesText(entry.scopes)},
          {"experiments", entry.patterns},
          {"comment", entry.comment}};
}

absl::StatusOr<token::Entry> NewEntry(const TokenArguments& arguments, const token::Token& token) {
  auto hash = token::HashOf(token.secret);
  if (!hash.ok()) return hash.status();
  const auto scopes = token::ParseScopes(arguments.scopes);
  if (!scopes.ok()) return scopes.status();
  return token::Entry{token.id, *std::move(hash), *scopes, arguments.experiments, arguments.comment};
}

int RunCreate(const TokenArguments& arguments, Context& context) {
  const auto token = token::NewToken();
  if (!token.ok()) return Fail(context, token.status());
  const auto entry = NewEntry(arguments, *token);
  if (!entry.ok()) return Fail(context, entry.status());
  if (absl::Status added = token::AddEntry(arguments.file, *entry); !added.ok()) return Fail(context, added);
  Json report = EntryJson(*entry);
  report["file"] = arguments.file;
  report["token"] = token::TokenText(*token);
  if (!context.json) {
    context.err << "kith: this is the only time that the token is shown; its id is " << token->id << std::endl;
  }
  PrintReport(context.out, context.json, report, token::TokenText(*token) + "\n");
  return kDone;
}

int RunList(const TokenArguments& arguments, Context& context) {
  const auto entries = token::ReadEntries(arguments.file);
  if (!entries.ok()) return Fail(context, entries.status());
  Json tokens = Json::array();
  std::string text;
  for (const token::Entry& entry : *entries) {
    tokens.push_back(EntryJson(entry));
    absl::StrAppend(&text, entry.id, "  ", token::ScopesText(entry.scopes), "  ", absl::StrJoin(entry.patterns, ", "),
                    entry.comment.empty() ? "" : "  # ", entry.comment, "\n");
  }
  PrintReport(context.out, context.json, {{"tokens", tokens}}, text);
  return kDone;
}

int RunRevoke(const TokenArguments& arguments, Context& context) {
  // Whoever pastes the whole token instead of its id means that one.
  const auto token = token::ParseToken(arguments.id);
  const std::string& id = token ? token->id : arguments.id;
  if (absl::Status removed = token::RemoveEntry(arguments.file, id); !removed.ok()) return Fail(context, removed);
  PrintReport(
      context.out, context.json, {{"id", id}, {"file", arguments.file}},
      absl::StrCat("revoked ", id, "; a server that uses ", arguments.file, " sees it within a second or two\n"));
  return kDone;
}

CLI::Validator OfScopes() {
  return {[](const std::string& text) { return std::string(token::ParseScopes(text).status().message()); }, ""};
}

// An id, or a whole token; other text may have a secret in it, and is not to be shown.
CLI::Validator OfAnId() {
  constexpr size_t kDigits = 16;
  const auto check = [](const std::string& text) {
    const bool id = text.size() == kDigits && absl::c_all_of(text, absl::ascii_isxdigit);
    return id || token::ParseToken(text) ? "" : "that is no id of a token, which is 16 hex digits; see kith token list";
  };
  return {check, ""};
}

CLI::Validator OnALine() {
  const auto check = [](const std::string& text) {
    for (const char c : text) {
      if (absl::ascii_iscntrl(c)) return std::string("it has control characters");
    }
    return std::string();
  };
  return {check, ""};
}

CLI::App* AddPart(CLI::App* command, const std::shared_ptr<TokenArguments>& arguments, const char* name,
                  const char* help) {
  CLI::App* part = command->add_subcommand(name, help);
  part->add_option("--file", arguments->file, "The file of tokens, auth.tokens of the server")
      ->required()
      ->type_name("FILE");
  part->fallthrough();
  return part;
}

}  // namespace

void AddTokenCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("token", "Make, list and revoke the tokens that a server takes, in its file");
  command->require_subcommand(1);

  auto create = std::make_shared<TokenArguments>();
  CLI::App* part = AddPart(command, create, "create", "Make a token, and print it: it is not stored anywhere");
  part->add_option("--scopes", create->scopes, "What it is good for: some of read, write, admin, with commas between")
      ->check(OfScopes())
      ->capture_default_str();
  part->add_option("--experiments", create->experiments,
                   "Names that it is for; * stands for any characters, ? for one. May be given several times")
      ->required()
      ->take_all()
      ->check(CLI::Validator([](const std::string& name) { return name.empty() ? "it is empty" : ""; }, ""))
      ->type_name("PATTERN");
  part->add_option("--comment", create->comment, "Whose it is, for kith token list")->check(OnALine());
  part->callback([create, &context] { context.exit_code = RunCreate(*create, context); });

  auto list = std::make_shared<TokenArguments>();
  AddPart(command, list, "list", "List the tokens by id, with what they are good for")->callback([list, &context] {
    context.exit_code = RunList(*list, context);
  });

  auto revoke = std::make_shared<TokenArguments>();
  part = AddPart(command, revoke, "revoke", "Take a token out of the file");
  part->add_option("ID", revoke->id, "Its id")->required()->check(OfAnId());
  part->callback([revoke, &context] { context.exit_code = RunRevoke(*revoke, context); });
}

}  // namespace kith::cli
