#include "server/app/security.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>
#include <vector>

#include "server/config/listen.h"

namespace kith::app {
namespace {

rpc::Openness OpennessOf(const std::string& word) {
  if (word == "off") return rpc::Openness::kOff;
  return word == "open" ? rpc::Openness::kOpen : rpc::Openness::kToken;
}

bool IsPublic(const std::string& address) {
  const auto listen = config::ParseListen(address);
  return listen.ok() && !config::IsLoopback(*listen);
}

void ReloadTokens(auth::Tokens* tokens) {
  const absl::Status status = tokens->Reload();
  if (status.ok()) {
    spdlog::info("auth.tokens: read again; {} tokens", tokens->size());
  } else {
    spdlog::error("auth.tokens: those read before stay in use: {}", std::string(status.message()));
  }
}

void LogCertificate(const auth::Pem& pem, const char* when) {
  if (pem.expired) {
    spdlog::warn("tls.cert{}: it was good until {}; clients refuse it", when, pem.not_after);
  } else {
    spdlog::info("tls.cert{}: good until {}", when, pem.not_after);
  }
}

void ReloadPem(auth::PemFiles* files) {
  const absl::Status status = files->Reload();
  if (status.ok()) {
    LogCertificate(*files->Get(), ", read again");
  } else {
    spdlog::error("what was read before of tls stays in use: {}", std::string(status.message()));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Security>> Security::Open(const config::Config& config) {
  std::unique_ptr<Security> security(new Security(config.auth));
  if (config.auth.enabled()) {
    if (absl::Status status = security->OpenTokens(config.auth.tokens); !status.ok()) return status;
  }
  if (config.tls.enabled()) {
    if (absl::Status status = security->OpenPem(config.tls); !status.ok()) return status;
  }
  return security;
}

absl::Status Security::OpenTokens(const std::string& path) {
  auto tokens = auth::Tokens::Open(path);
  if (!tokens.ok()) return tokens.status();
  tokens_ = *std::move(tokens);
  token_watch_ =
      std::make_unique<FileWatch>(std::vector<std::string>{path}, [tokens = tokens_.get()] { ReloadTokens(tokens); });
  return tokens_->Reload();  // what changed between the reading and the watching
}

absl::Status Security::OpenPem(const config::Tls& files) {
  auto pem = auth::PemFiles::Open(files);
  if (!pem.ok()) return pem.status();
  pem_ = *std::move(pem);
  std::vector<std::string> paths = {files.cert, files.key};
  if (!files.client_ca.empty()) paths.push_back(files.client_ca);
  pem_watch_ = std::make_unique<FileWatch>(std::move(paths), [pem = pem_.get()] { ReloadPem(pem); });
  return pem_->Reload();
}

rpc::Security Security::rpc() const {
  rpc::Security security;
  security.tokens = tokens_.get();
  security.tls = pem_.get();
  security.health = OpennessOf(auth_.health);
  security.reflection = OpennessOf(auth_.reflection);
  return security;
}

std::string Security::Warning(const config::Config& config) const {
  if (tokens_ == nullptr || tokens_->size() > 0) return "";
  return "auth.tokens: there is no token in " + config.auth.tokens +
         ", so that nobody can call; make one: kith token create --file " + config.auth.tokens;
}

void Security::Log(const config::Config& config) const {
  if (const std::string warning = Warning(config); !warning.empty()) spdlog::warn("{}", warning);
  if (tokens_ != nullptr) spdlog::info("auth.tokens: {} tokens in {}", tokens_->size(), config.auth.tokens);
  if (pem_ != nullptr) LogCertificate(*pem_->Get(), "");
  const bool is_public = IsPublic(config.listen) || IsPublic(config.http.listen);
  if (!config.tls.enabled() && !config.auth.enabled()) {
    if (is_public) {
      spdlog::warn("insecure: whoever reaches {} may do everything, and whoever is between can read it", config.listen);
    } else {
      spdlog::info("neither tls.cert nor auth.tokens is set: listening on this machine's loopback only");
    }
  } else if (is_public && !config.tls.enabled()) {
    spdlog::warn("tls.cert is not set: who is between a client and {} can read all, tokens too", config.listen);
  } else if (is_public && !config.auth.enabled() && config.tls.client_ca.empty()) {
    spdlog::warn("neither auth.tokens nor tls.client_ca is set: whoever reaches {} may do everything", config.listen);
  }
}

}  // namespace kith::app
