// kithd under a supervisor: what it tells systemd, and what a reload changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

using ::testing::AllOf;

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The socket that systemd listens on.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) throw std::runtime_error("the path is too long for a socket");
    path.copy(address.sun_path, path.size());
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("no socket at " + path);
    }
  }
  ~NotifySocket() { close(fd_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // The next message; waits for it.
  std::string Next() const {
    char buffer[4096];
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
    return {buffer, static_cast<size_t>(got > 0 ? got : 0)};
  }

 private:
  const int fd_;
};

class SupervisorTest : public EndToEnd {
 protected:
  SupervisorTest() { Configure(""); }

  void Configure(const std::string& text) const { std::ofstream(Path("kithd.yaml")) << text; }

  void StartConfigured(std::vector<std::string> environment = {}) {
    ProcessOptions options;
    options.arguments = {"--config", Path("kithd.yaml")};
    options.environment = std::move(environment);
    StartServer("127.0.0.1:0", options);
  }

  // SIGHUP, and waits for the log to say so much of it.
  void Reload(const std::string& until) const {
    server_->Signal(SIGHUP);
    testing::WaitUntil([&] { return server_->err().find(until) != std::string::npos; });
  }
};

TEST_F(SupervisorTest, SystemdHearsOfStartReloadAndStop) {
  const NotifySocket systemd(Path("notify"));
  StartConfigured({"NOTIFY_SOCKET=" + Path("notify")});
  EXPECT_EQ(systemd.Next(), "READY=1\nSTATUS=listening on " + address_);
  server_->Signal(SIGHUP);
  EXPECT_THAT(systemd.Next(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_THAT(systemd.Next(), StartsWith("READY=1"));
  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(systemd.Next(), StartsWith("STOPPING=1"));
}

TEST_F(SupervisorTest, TheWatchdogIsFed) {
  const NotifySocket systemd(Path("notify"));
  StartConfigured({"NOTIFY_SOCKET=" + Path("notify"), "WATCHDOG_USEC=200000"});
  EXPECT_THAT(systemd.Next(), StartsWith("READY=1"));
  EXPECT_EQ(systemd.Next(), "WATCHDOG=1");
  EXPECT_EQ(systemd.Next(), "WATCHDOG=1");
}

TEST_F(SupervisorTest, AReloadTakesOnWhatCanChangeAndTellsWhatCannot) {
  StartConfigured();
  KithJson({"train", "anna", GenerateFrames(100)});
  Configure("limits: {k: 5, experiments: 1}\nsearch: {threads: 3}\nlog: {level: debug}\n");
  Reload("log.level");
  EXPECT_THAT(server_->err(),
              AllOf(HasSubstr("reload: limits.k is 5 now, and was 1024"),
                    HasSubstr("reload: limits.experiments is 1 now, and was 1024"),
                    HasSubstr("reload: search.threads stays 0: to make it 3, restart kithd"),
                    HasSubstr("reload: log.level is debug now, and was info"), Not(HasSubstr("reload: limits.rows"))));
  const Finished search = Kith({"search", "anna", GenerateFrames(100), "-k", "6"});
  EXPECT_EQ(search.exit_code, 1);
  EXPECT_THAT(search.err, HasSubstr("1 to 5"));
  EXPECT_THAT(Kith({"train", "bert", GenerateFrames(100)}).err, HasSubstr("limits.experiments"));

  Configure("");
  Reload("limits.k is 1024 now, and was 5");
  EXPECT_EQ(Kith({"search", "anna", GenerateFrames(100), "-k", "6"}).exit_code, 0);
  EXPECT_EQ(Kith({"train", "bert", GenerateFrames(100)}).exit_code, 0);
}

// A row a second makes 100 rows take more than a minute to be paid for.
TEST_F(SupervisorTest, AReloadChangesTheRatesOfClientsAndExperiments) {
  StartConfigured();
  KithJson({"train", "anna", GenerateFrames(100)});
  const auto is_refused_for = [&](const std::string& key) {
    return Kith({"search", "anna", GenerateFrames(100)}).err.find(key) != std::string::npos;
  };
  Configure("limits: {client: {rows: 1}}\n");
  Reload("limits.client.rows is 1 now, and was 0");
  testing::WaitUntil([&] { return is_refused_for("limits.client.rows"); });
  Configure("limits: {experiment: {rows: 1}}\n");
  Reload("limits.client.rows is 0 now, and was 1");
  testing::WaitUntil([&] { return is_refused_for("limits.experiment.rows"); });
  Configure("");
  Reload("limits.experiment.rows is 0 now, and was 1");
  testing::WaitUntil([&] { return !is_refused_for("limits.experiment.rows"); });
  EXPECT_FALSE(is_refused_for("limits")) << "nothing is owed any more";
}

TEST_F(SupervisorTest, AReloadLeavesALogLevelThatWasSetMeanwhile) {
  StartConfigured();
  EXPECT_EQ(Kith({"log-level", "debug"}).exit_code, 0);
  Configure("limits: {k: 5}\n");
  Reload("limits.k");
  // Told behind the lines of the reload, were it taken on; a call comes behind that.
  EXPECT_THAT(Kith({"log-level"}).out, HasSubstr("debug"));
  EXPECT_THAT(server_->err(), Not(HasSubstr("the log level is info")));
}

TEST_F(SupervisorTest, AReloadOfAWrongFileChangesNothingAndSaysWhy) {
  Configure("limits: {k: 7}\n");
  StartConfigured();
  KithJson({"train", "anna", GenerateFrames(100)});
  Configure("limits: {k: 5}\nserch: {}\n");
  Reload("reload: nothing is changed: " + Path("kithd.yaml") + ":2: serch");
  EXPECT_THAT(Kith({"search", "anna", GenerateFrames(100), "-k", "8"}).err, HasSubstr("1 to 7"));
}

TEST_F(SupervisorTest, AFlagStandsAboveAReloadedFile) {
  ProcessOptions options;
  options.arguments = {"--config", Path("kithd.yaml"), "--log-level", "warn"};
  StartServer("127.0.0.1:0", options);
  Configure("log: {level: debug, slow_ms: 5}\nlimits: {k: 5}\n");
  Reload("log.slow_ms");  // which is told after log.level
  EXPECT_THAT(server_->err(), Not(HasSubstr("log.level")));
}

TEST_F(SupervisorTest, WithoutAFileSighupStopsIt) {
  StartServer();
  EXPECT_EQ(StopServer(SIGHUP), 0);
  EXPECT_THAT(server_->err(), HasSubstr("drained"));
}

}  // namespace
}  // namespace kith::e2e
