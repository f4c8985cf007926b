// Whoever can reach the port, and what he may send: the server goes on serving, in bounded memory.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "client/cpp/client.h"
#include "kith/v1/retrieval.pb.h"
#include "tests/e2e/fixture.h"
#include "tests/e2e/raw_http2.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

using kith::testing::WaitUntil;

constexpr int64_t kMebibyte = int64_t{1} << 20;
constexpr char kSearch[] = "/kith.v1.Retrieval/Search";
constexpr char kStreamSearch[] = "/kith.v1.Retrieval/StreamSearch";
constexpr char kTrain[] = "/kith.v1.Retrieval/Train";

class HostileTest : public EndToEnd {
 protected:
  void SetUp() override {
    StartServer();
    ASSERT_FALSE(HasFailure());
    KithJson({"train", "voice", GenerateFrames(500)});
    ExpectServing();
    before_ = Memory();
  }

  void TearDown() override {
    if (HasFatalFailure()) return;
    ExpectServing();
    EXPECT_EQ(StopServer(SIGTERM), 0) << server_->err();
  }

  void ExpectMemoryWithin(int64_t mebibytes) const { EXPECT_LE(Memory() - before_, mebibytes * kMebibyte); }

  RawConnection Connect(std::string_view settings = "") const {
    RawConnection connection(address_);
    EXPECT_TRUE(connection.connected());
    connection.Send(Preface(settings));
    return connection;
  }

  // Sends it to a connection of its own, and nothing more.
  void SendAlone(const std::string& bytes, bool preface = true) const {
    RawConnection connection(address_);
    ASSERT_TRUE(connection.connected());
    if (preface) connection.Send(Preface());
    connection.Send(bytes);
    connection.HalfClose();
    connection.ReadToTheEnd();
  }

  int64_t before_ = 0;
};

std::string SearchRequest(int rows, int k) {
  v1::SearchRequest request;
  request.set_experiment("voice");
  request.mutable_params()->set_k(k);
  request.mutable_frames()->set_dimension(kDimension);
  request.mutable_frames()->set_raw(std::string(static_cast<size_t>(rows) * kDimension * sizeof(float), '\0'));
  return request.SerializeAsString();
}

std::string StreamRequest(int rows, int k) {
  v1::StreamSearchRequest request;
  request.mutable_open()->set_experiment("voice");
  request.mutable_open()->mutable_params()->mutable_search()->set_k(k);
  request.mutable_frames()->set_dimension(kDimension);
  request.mutable_frames()->set_raw(std::string(static_cast<size_t>(rows) * kDimension * sizeof(float), '\0'));
  return request.SerializeAsString();
}

std::string Repeated(const std::string& text, int times) {
  std::string all;
  all.reserve(text.size() * static_cast<size_t>(times));
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST_F(HostileTest, WhatIsNoHttp2EndsItsConnection) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01", 6), std::string(100000, 'x'),
        std::string("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), std::string(1, '\0'), std::string()}) {
    SendAlone(bytes, /*preface=*/false);
  }
  ExpectMemoryWithin(64);
}

TEST_F(HostileTest, MalformedFramesEndTheirConnection) {
  const std::string open = CallHeaders(1, kSearch);
  const std::vector<std::string> frames = {
      Frame(FrameType::kSettings, 0, 0, "12345"),                              // not a multiple of 6
      Frame(FrameType::kSettings, 0, 3, HttpSetting(4, 1)),                    // of a stream
      Frame(FrameType::kSettings, 0, 0, HttpSetting(4, 0xffffffff)),           // a window out of range
      Frame(FrameType::kSettings, 1, 0, HttpSetting(4, 1)),                    // an acknowledgement with content
      Frame(FrameType::kPing, 0, 0, "short"),                                  //
      Frame(FrameType::kWindowUpdate, 0, 0, Number(0, 4)),                     // by nothing
      Frame(FrameType::kWindowUpdate, 0, 0, Number(0x7fffffff, 4)),            // overflows
      Frame(FrameType::kData, 0, 0, "of no stream"),                           //
      Frame(FrameType::kData, 0, 7, "of a stream that is not open"),           //
      Frame(FrameType::kData, 8, 1, "\xff"),                                   // more padding than there is
      Frame(FrameType::kHeaders, kEndHeaders, 0, HeaderBlock(kSearch)),        // of no stream
      Frame(FrameType::kHeaders, kEndHeaders, 2, HeaderBlock(kSearch)),        // of a server's stream
      Frame(FrameType::kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff"),  // an index without end
      Frame(FrameType::kHeaders, kEndHeaders, 1, std::string("\0\x7f\xff\xff\xff\x7f", 6)),  // a name of 2 GB
      Frame(FrameType::kHeaders, kEndHeaders, 1, HeaderField(":path", "/")),  // not all that a request needs
      Frame(FrameType::kContinuation, kEndHeaders, 1, HeaderBlock(kSearch)),  // of nothing
      Frame(FrameType::kReset, 0, 9, Number(8, 4)),                           // of a stream that is not open
      Frame(static_cast<FrameType>(200), 0xff, 0x7fffffff, std::string(100, 'u')),
      Number(0xffffff, 3) + std::string("\0\0\0\0\0\1", 6),  // a frame of 16 MB, of which nothing comes
      open + open,
      open + Frame(FrameType::kData, kEndStream, 1, "\2" + Number(3, 4) + "abc"),  // a flag that there is not
      open + Frame(FrameType::kData, kEndStream, 1, "\1" + Number(3, 4) + "abc"),  // compressed by nothing
      open +
          Frame(FrameType::kData, kEndStream, 1, Number(0, 1) + Number(0xffffffff, 4)),  // 4 GB, of which nothing comes
      open + Frame(FrameType::kData, kEndStream, 1, Number(0, 1) + Number(9, 4) + "abc"),  // ends inside
      open + Frame(FrameType::kData, kEndStream, 1, "\0\0"),
      open + Frame(FrameType::kData, kEndStream, 1, Number(0, 1) + Number(4, 4) + "\xff\xff\xff\xff"),  // no message
      CallHeaders(1, "/kith.v1.Retrieval/Nothing") + Message(1, "x"),
      CallHeaders(1, std::string(120, '/')) + Message(1, "x"),
      CallHeaders(1, kStreamSearch) + Message(1, "no message") + Message(1, SearchRequest(1, 1)),
      CallHeaders(1, kTrain) + Message(1, std::string(1000, '\xff')),
  };
  for (const std::string& bytes : frames) SendAlone(bytes);
  ExpectMemoryWithin(64);
}

TEST_F(HostileTest, BytesThatWereChangedOnTheWay) {
  const std::string sound = CallHeaders(1, kSearch) + Message(1, SearchRequest(2, 4)) + CallHeaders(3, kStreamSearch) +
                            Message(3, StreamRequest(2, 4)) + Frame(FrameType::kPing, 0, 0, "12345678") +
                            CallHeaders(5, kTrain);
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = sound;
    for (auto changes = 1 + random() % 8; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (i % 3 == 0) bytes.resize(random() % bytes.size());
    SendAlone(bytes);
  }
  ExpectMemoryWithin(64);
}

TEST_F(HostileTest, FloodsOfSmallFrames) {
  constexpr int kTimes = 20000;
  const std::vector<std::string> floods = {
      Repeated(Frame(FrameType::kPing, 0, 0, "12345678"), kTimes),
      Repeated(Frame(FrameType::kSettings, 0, 0, HttpSetting(4, 65535)), kTimes),
      CallHeaders(1, kStreamSearch) + Repeated(Frame(FrameType::kData, 0, 1, ""), kTimes),
      CallHeaders(1, kStreamSearch) + Repeated(Message(1, ""), kTimes),
      Repeated(Frame(FrameType::kPriority, 0, 1, Number(3, 5)), kTimes),
      ResetStreams(kTimes),
      // Header fields without end.
      Frame(FrameType::kHeaders, 0, 1, HeaderBlock(kSearch)) +
          Repeated(Frame(FrameType::kContinuation, 0, 1, Repeated(HeaderField("a", "b"), 3000)), 200),
  };
  for (const std::string& flood : floods) {
    RawConnection connection = Connect();
    connection.Send(flood);  // the answers stay unread: pings and settings have some
    ExpectMemoryWithin(128);
    ExpectServing();
  }
  WaitUntil([&] { return Memory() - before_ < 128 * kMebibyte; });
}

// Calls that no limit is asked about, since they have no token.
TEST_F(HostileTest, StreamsThatAreResetBeforeTheyAreRefusedForTheirToken) {
  EXPECT_EQ(StopServer(SIGTERM), 0);
  ASSERT_EQ(Kith({"token", "create", "--file", Path("tokens"), "--experiments", "*"}).exit_code, 0);
  std::ofstream(Path("kithd.yaml")) << "auth:\n  tokens: " << Path("tokens") << "\n  health: open\n";
  StartServer("127.0.0.1:0", {{"--config", Path("kithd.yaml")}, {}, {}, {}});
  const auto is_healthy = [&] { return Kith({"health"}).exit_code == 0; };
  ASSERT_TRUE(is_healthy());
  const int64_t before = Memory();
  {
    RawConnection connection = Connect();
    connection.Send(ResetStreams(100'000));
  }
  EXPECT_TRUE(is_healthy());
  WaitUntil([&] { return Memory() - before < 128 * kMebibyte; });
  EXPECT_EQ(StopServer(SIGTERM), 0);
  StartServer();  // for what comes behind every test
}

// More than may be open, and none of the refusals is taken.
TEST_F(HostileTest, StreamsThatAreResetBeforeTheyAreRefused) {
  const std::string resets = ResetStreams(100'000);
  {
    RawConnection connection = Connect();
    connection.Send(resets);
  }
  ExpectServing();
  WaitUntil([&] { return Memory() - before_ < 128 * kMebibyte; });
}

// Each answer is megabytes, and none is taken.
TEST_F(HostileTest, ClientsThatDoNotReadTheirAnswers) {
  const std::string block = StreamRequest(512, 500);
  v1::StreamSearchRequest next;
  ASSERT_TRUE(next.ParseFromString(block));
  next.clear_open();
  std::vector<RawConnection> connections;
  for (int i = 0; i < 4; ++i) {
    connections.push_back(Connect(HttpSetting(4, 0)));  // a window of no bytes
    connections.back().Send(CallHeaders(1, kStreamSearch) + Message(1, block));
    for (int j = 0; j < 100; ++j) connections.back().Send(Message(1, next.SerializeAsString()));
    ExpectServing();
  }
  ExpectMemoryWithin(256);
}

TEST_F(HostileTest, CallsThatAreBegunAndNotGoneOnWith) {
  std::vector<RawConnection> connections;
  for (int i = 0; i < 20; ++i) {
    connections.push_back(Connect());
    std::string calls;
    for (uint32_t stream = 1; stream < 400; stream += 2) {
      calls += CallHeaders(stream, stream % 4 == 1 ? kStreamSearch : kSearch) +
               Frame(FrameType::kData, 0, stream, Number(0, 1) + Number(10 * kMebibyte, 4) + std::string(100, 'x'));
    }
    connections.back().Send(calls);
  }
  ExpectServing();
  ExpectMemoryWithin(256);
}

TEST_F(HostileTest, MessagesThatWantTheirLastByte) {
  EXPECT_EQ(StopServer(SIGTERM), 0);
  std::ofstream(Path("kithd.yaml")) << "limits:\n  message_buffers: 128MiB\n";
  StartServer("127.0.0.1:0", {{"--config", Path("kithd.yaml")}, {}, {}, {}});
  ExpectServing();
  std::vector<RawConnection> connections;
  const std::string most = Message(1, std::string(15 * kMebibyte, 'x'));
  for (int i = 0; i < 40; ++i) {
    connections.push_back(Connect());
    connections.back().Send(CallHeaders(1, kSearch) + most.substr(0, most.size() - 1));
  }
  ExpectServing();
  ExpectMemoryWithin(256);
}

class ConnectionsTest : public HostileTest {};

// Half of them say nothing at all, the others have begun a stream.
TEST_F(ConnectionsTest, TenThousand) {
  constexpr int kCount = 10000;
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  if (files.rlim_max < kCount + 600) GTEST_SKIP() << "a process here may have " << files.rlim_max << " files only";
  std::vector<RawConnection> connections;
  for (int i = 0; i < kCount; ++i) {
    connections.emplace_back(address_);
    if (i % 2 == 0) connections.back().Send(Preface() + CallHeaders(1, kStreamSearch));
  }
  ExpectServing();
  ExpectMemoryWithin(kCount / 10);  // 100 KiB each
}

TEST_F(ConnectionsTest, OneBeyondTheLimitIsClosedAndOthersServed) {
  EXPECT_EQ(StopServer(SIGTERM), 0);
  std::ofstream(Path("kithd.yaml")) << "limits:\n  connections: 5\n";
  StartServer("127.0.0.1:0", {{"--config", Path("kithd.yaml")}, {}, {}, {}});
  std::vector<RawConnection> connections;
  connections.reserve(5);
  for (int i = 0; i < 5; ++i) connections.push_back(Connect());
  RawConnection beyond(address_);
  EXPECT_EQ(beyond.ReadToTheEnd(), 0U) << "one that gRPC has is sent its settings";
  connections.pop_back();
  WaitUntil([&] { return Client(ClientOptions{address_}).Get("voice").ok(); });
}

// gRPC's own listener takes no connection ever again after that.
TEST_F(ConnectionsTest, AreTakenAgainAfterThereWasNoFileForOne) {
  EXPECT_EQ(StopServer(SIGTERM), 0);
  server_ = std::make_unique<Process>(
      "/bin/sh", std::vector<std::string>{"-c", "ulimit -n 80; exec \"$0\" \"$@\"", Kithd(), "--listen", "127.0.0.1:0",
                                          "--data-dir", data_dir()});
  ASSERT_TRUE(server_->ReadUntil([](const std::string& out) { return out.find('\n') != std::string::npos; }));
  address_ = server_->out().substr(server_->out().rfind(' ') + 1);
  address_.pop_back();
  {
    std::vector<RawConnection> connections;
    connections.reserve(200);
    for (int i = 0; i < 200; ++i) connections.emplace_back(address_);
  }
  WaitUntil([&] { return Client(ClientOptions{address_}).Get("voice").ok(); });
}

}  // namespace
}  // namespace kith::e2e
