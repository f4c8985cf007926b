#include "server/http/server.h"

#include <httplib.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/base/guard.h"
#include "server/base/listening_socket.h"
#include "server/base/status.h"
#include "server/http/bounded_stream.h"
#include "server/http/connection_queue.h"
#include "server/http/page_files.h"
#include "server/http/tls.h"

namespace kith::http {
namespace {

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

void Answer(httplib::Response& response, int status, const std::string& body, const char* type = kText) {
  response.status = status;
  response.set_header("Cache-Control", "no-store");
  response.set_content(body, type);
}

// Nothing of the page comes from elsewhere, nothing on it is run that is not one of its files, nobody puts it into a
// frame, and what it shows is for nobody else's scripts.
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

void SetPolicy(httplib::Response& response) {
  response.set_header("Content-Security-Policy", kPolicy);
  response.set_header("Cross-Origin-Opener-Policy", "same-origin");
  response.set_header("Cross-Origin-Resource-Policy", "same-origin");
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("X-Content-Type-Options", "nosniff");
}

const char* TypeOf(std::string_view name) {
  const std::string_view extension = name.substr(name.rfind('.') + 1);
  if (extension == "html") return "text/html; charset=utf-8";
  if (extension == "svg") return "image/svg+xml";
  return extension == "css" ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
}

bool AnswerFile(std::string_view name, httplib::Response& response) {
  for (const PageFile& file : PageFiles()) {
    if (file.name != (name.empty() ? "index.html" : name)) continue;
    Answer(response, 200, std::string(file.contents), TypeOf(file.name));
    return true;
  }
  return false;
}

bool AnswerApi(const Pages& pages, const httplib::Request& request, std::string_view what,
               httplib::Response& response) {
  std::map<std::string, std::string> query;
  for (const auto& [name, value] : request.params) query.emplace(name, value);
  const auto answer = pages.api ? pages.api(std::string(what), query) : std::nullopt;
  if (answer) Answer(response, answer->status, answer->body, "application/json");
  return answer.has_value();
}

// OK for who may see what is not for everyone.
absl::Status CheckReader(const Security& security, const httplib::Request& request) {
  if (security.tls != nullptr && !security.tls->Get()->client_ca.empty() &&
      (request.ssl == nullptr || !HasCertificate(request.ssl))) {
    return Error(Reason::kUnauthenticated, "this server answers clients with a certificate only");
  }
  if (security.tokens == nullptr) return absl::OkStatus();
  const auto grant = security.tokens->Find(request.get_header_value("Authorization"));
  if (!grant.ok()) return grant.status();
  if ((*grant)->Allow(token::Scope::kAdmin, auth::Subject::kServer).ok()) return absl::OkStatus();
  return (*grant)->Allow(token::Scope::kRead, auth::Subject::kServer);
}

// Whether the request goes on; answers it otherwise.
bool LetIn(const Security& security, const httplib::Request& request, httplib::Response& response) {
  const absl::Status status = CheckReader(security, request);
  if (status.ok()) return true;
  const bool known = absl::IsPermissionDenied(status);
  if (!known) response.set_header("WWW-Authenticate", "Bearer");
  Answer(response, known ? 403 : 401, std::string(status.message()) + "\n");
  return false;
}

void AnswerPage(const Pages& pages, const Security& security, const httplib::Request& request,
                httplib::Response& response) {
  if (request.method != "GET" && request.method != "HEAD") {
    response.set_header("Allow", "GET, HEAD");
    return Answer(response, 405, "only GET and HEAD\n");
  }
  if (request.path == "/healthz") return Answer(response, 200, "ok\n");
  if (request.path == "/readyz") {
    return pages.ready() ? Answer(response, 200, "ready\n") : Answer(response, 503, "not ready\n");
  }
  SetPolicy(response);
  constexpr std::string_view kApi = "/api/";
  const std::string_view path = request.path;
  // The page's files are the same everywhere: who may read is asked what they ask for.
  if (!path.empty() && path[0] == '/' && AnswerFile(path.substr(1), response)) return;
  if (!LetIn(security, request, response)) return;
  if (path == "/metrics") return Answer(response, 200, pages.metrics(), kPrometheusText);
  const bool is_api = path.substr(0, kApi.size()) == kApi;
  if (is_api && AnswerApi(pages, request, path.substr(kApi.size()), response)) return;
  Answer(response, 404, "there are /, /metrics, /healthz and /readyz\n");
}

}  // namespace

// httplib reads the request and writes the answer; connections and threads are ours.
class Server::Service : public httplib::Server {
 public:
  Service(ListeningSocket socket, Pages pages, const Limits& limits, const Security& security)
      : pages_(std::move(pages)),
        limits_(limits),
        security_(security),
        socket_(std::move(socket)),
        connections_(limits.waiting) {
    // All is answered here, before httplib would read a body or match a path.
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      const absl::Status status = Guarded([&] {
        AnswerPage(pages_, security_, request, response);
        return absl::OkStatus();
      });
      if (!status.ok()) Answer(response, 500, "a fault of the server\n");
      return HandlerResponse::Handled;
    });
    for (int i = 0; i < limits_.threads; ++i) threads_.emplace_back([this] { ServeAll(); });
    threads_.emplace_back([this] { AcceptAll(); });
  }

  ~Service() override {
    socket_.Close();
    connections_.Close();
    for (std::thread& thread : threads_) thread.join();
  }

  int port() const { return socket_.port(); }

 private:
  void AcceptAll() {
    for (int socket = socket_.Accept(); socket >= 0; socket = socket_.Accept()) connections_.Push(socket);
  }

  void ServeAll() {
    for (int socket = connections_.Pop(); socket >= 0; socket = connections_.Pop()) {
      (void)Guarded([&] {
        Ssl tls = security_.tls == nullptr ? nullptr : Accept(*security_.tls, socket);
        if (security_.tls != nullptr && tls == nullptr) return absl::OkStatus();
        BoundedStream stream(socket, limits_, connections_, std::move(tls));
        bool closed = true;
        process_request(stream, /*close_connection=*/true, closed, [&](httplib::Request& request) {
          request.ranges.clear();  // a request of thousands of ranges would get the page as often
          request.ssl = stream.tls();
        });
        return absl::OkStatus();
      });
      close(socket);
    }
  }

  const Pages pages_;
  const Limits limits_;
  const Security security_;
  const ListeningSocket socket_;
  ConnectionQueue connections_;
  std::vector<std::thread> threads_;
};

Server::Server(std::unique_ptr<Service> service) : service_(std::move(service)) {}
Server::~Server() = default;

int Server::port() const { return service_->port(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const std::string& host, int port, Pages pages,
                                                      const Limits& limits, const Security& security) {
  auto socket = ListeningSocket::Open(host, port);
  if (!socket.ok()) return socket.status();
  return std::unique_ptr<Server>(
      new Server(std::make_unique<Service>(*std::move(socket), std::move(pages), limits, security)));
}

}  // namespace kith::http
