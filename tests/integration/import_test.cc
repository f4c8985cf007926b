// Import, Export and GetFrames, held against faiss on the same file.
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/impl/io.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>

#include <cmath>
#include <memory>
#include <numeric>

#include "server/base/checksum.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using RawImport = RawCall<grpc::ClientReaderWriter<v1::ImportRequest, v1::ImportResponse>>;
constexpr int kDimension = 32;
constexpr int kNeighbors = 8;

class BytesSink final : public ExportSink {
 public:
  absl::Status Begin(const ExportInfo& begun) override {
    info = begun;
    return absl::OkStatus();
  }
  absl::Status Write(absl::Span<const char> piece) override {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  }
  ExportInfo info;
  std::string bytes;
};

class RowsSink final : public FramesSink {
 public:
  absl::Status Begin(const FramesInfo& info) override {
    frames.dimension = info.dimension;
    return absl::OkStatus();
  }
  absl::Status Write(FramesView rows) override {
    frames.values.insert(frames.values.end(), rows.values.begin(), rows.values.end());
    return absl::OkStatus();
  }
  retrieval::Frames frames;
};

std::string BytesOf(const faiss::Index& index) {
  faiss::VectorIOWriter writer;
  faiss::write_index(&index, &writer);
  return {reinterpret_cast<const char*>(writer.data.data()), writer.data.size()};
}

std::unique_ptr<faiss::Index> IndexOf(const std::string& bytes) {
  faiss::VectorIOReader reader;
  reader.data.assign(bytes.begin(), bytes.end());
  return std::unique_ptr<faiss::Index>(faiss::read_index(&reader));
}

// As RVC makes it.
std::unique_ptr<faiss::Index> Made(const char* factory, const retrieval::Frames& frames,
                                   faiss::MetricType metric = faiss::METRIC_L2) {
  std::unique_ptr<faiss::Index> index(faiss::index_factory(frames.dimension, factory, metric));
  index->train(frames.rows(), frames.values.data());
  if (std::string(factory).rfind("IDMap", 0) == 0) {
    std::vector<int64_t> ids(frames.rows());
    std::iota(ids.rbegin(), ids.rend(), 0);
    index->add_with_ids(frames.rows(), frames.values.data(), ids.data());
  } else {
    index->add(frames.rows(), frames.values.data());
  }
  return index;
}

class ImportTest : public IntegrationTest {
 protected:
  ImportTest() { options_.training.import.program = KITH_KITHD; }

  absl::StatusOr<Experiment> Import(const std::string& name, const std::string& bytes, ImportOptions options = {}) {
    size_t place = 0;
    const ByteSource source = [&](absl::Span<char> out) -> absl::StatusOr<size_t> {
      const size_t count = std::min(out.size(), bytes.size() - place);
      std::copy_n(bytes.data() + place, count, out.data());
      place += count;
      return count;
    };
    return client().Import(name, source, options);
  }

  BytesSink Export(const std::string& name) {
    BytesSink sink;
    const auto info = client().Export(name, sink);
    EXPECT_TRUE(info.ok()) << info.status();
    return sink;
  }

  // The server answers as faiss does.
  void ExpectAnswersAs(const std::string& name, const faiss::Index& index, const retrieval::Frames& queries) {
    retrieval::Neighbors expected(queries.rows(), kNeighbors);
    index.search(queries.rows(), queries.values.data(), kNeighbors, expected.distances.data(), expected.ids.data());
    ExpectSame(Search(name, queries), expected);
  }

  RawImport OpenImport() {
    return RawImport([this](auto* context) { return experiments().Import(context); });
  }

  // Opens an import and sends this much of it; returns once the server has it.
  std::unique_ptr<RawImport> StartUpload(const std::string& name, const std::string& bytes) {
    auto call = std::make_unique<RawImport>([this](auto* context) { return experiments().Import(context); });
    v1::ImportRequest request;
    request.set_experiment(name);
    request.set_data(bytes);
    v1::ImportResponse response;
    EXPECT_TRUE((*call)->Write(request));
    EXPECT_TRUE((*call)->Read(&response));
    EXPECT_EQ(response.done(), static_cast<int64_t>(bytes.size()));
    return call;
  }

  bool ScratchIsEmpty() { return std::filesystem::is_empty(data_dir() / "scratch"); }

  const retrieval::Frames frames_ = SpeechLike(600, kDimension);
  const retrieval::Frames queries_ = QueriesNear(frames_, 20, 4);
};

TEST_F(ImportTest, AnswersAsFaissDoesOnTheFile) {
  for (const char* factory : {"IVF14,Flat", "Flat", "IDMap,IVF14,Flat", "HNSW16,Flat", "OPQ8_16,IVF14,PQ8np",
                              "IVF14,SQ8", "IVF14,PQ16x4fs,RFlat"}) {
    SCOPED_TRACE(factory);
    const auto index = Made(factory, frames_);
    if (auto* lists = dynamic_cast<faiss::IndexIVF*>(index.get())) lists->nprobe = 3;
    const std::string bytes = BytesOf(*index);
    const auto imported = Import("voice", bytes);
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(imported->rows, 600);
    EXPECT_EQ(imported->dimension, kDimension);
    EXPECT_EQ(imported->recipe, "");
    Sha256 digest;
    digest.Update(bytes.data(), bytes.size());
    EXPECT_EQ(imported->source_sha256, digest.Finish());
    ExpectAnswersAs("voice", *index, queries_);
  }
  EXPECT_EQ(Get("voice").generation, 7);
  EXPECT_TRUE(ScratchIsEmpty());
}

class SmallMessagesImportTest : public ImportTest {
 protected:
  SmallMessagesImportTest() { options_.limits.message_bytes = 65536; }
};

TEST_F(SmallMessagesImportTest, AFileIsLargerThanAMessage) {
  const std::string bytes = BytesOf(*Made("Flat", frames_));
  ASSERT_GT(bytes.size(), 65536u);
  const auto imported = Import("voice", bytes);
  EXPECT_TRUE(imported.ok()) << imported.status();
}

TEST_F(ImportTest, KeepsMetricNprobeAndFrames) {
  const auto index = Made("IVF14,Flat", frames_, faiss::METRIC_INNER_PRODUCT);
  dynamic_cast<faiss::IndexIVF&>(*index).nprobe = 5;
  const auto imported = Import("voice", BytesOf(*index));
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->metric, Metric::kInnerProduct);
  EXPECT_EQ(imported->factory, "IVF14,Flat");
  EXPECT_EQ(imported->nlist, 14);
  EXPECT_EQ(imported->nprobe, 5);
  EXPECT_GT(imported->recall_at_8, 0.5);
  RowsSink sink;
  const auto info = client().GetFrames("voice", sink);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->rows, 600);
  EXPECT_EQ(sink.frames.values, frames_.values);
}

TEST_F(ImportTest, SurvivesARestartAndTakesAdditionsAndTrainings) {
  const auto index = Made("IVF14,Flat", frames_);
  ASSERT_TRUE(Import("voice", BytesOf(*index)).ok());
  const auto more = SpeechLike(50, kDimension, 8);
  EXPECT_EQ(Add("voice", more).first_id, 600);
  index->add(more.rows(), more.values.data());
  ExpectAnswersAs("voice", *index, queries_);
  Restart();
  ExpectAnswersAs("voice", *index, queries_);
  EXPECT_NE(Get("voice").source_sha256, "");
  const auto retrained = client().Retrain("voice");
  ASSERT_TRUE(retrained.ok()) << retrained.status();
  EXPECT_EQ(retrained->factory, "IVF14,Flat");
  EXPECT_EQ(retrained->rows, 650);
  EXPECT_EQ(retrained->source_sha256, "");
}

TEST_F(ImportTest, ReportsItsPhases) {
  std::vector<TrainPhase> phases;
  ImportOptions options;
  options.on_progress = [&](const TrainProgress& step) {
    if (phases.empty() || phases.back() != step.phase) phases.push_back(step.phase);
  };
  ASSERT_TRUE(Import("voice", BytesOf(*Made("Flat", frames_)), options).ok());
  EXPECT_EQ(phases.front(), TrainPhase::kReceiving);
  EXPECT_EQ(phases.back(), TrainPhase::kDone);
  EXPECT_THAT(phases, ::testing::Contains(TrainPhase::kChecking));
}

TEST_F(ImportTest, AnExportIsWhatFaissReads) {
  for (const char* name : {"auto", "rvc", "fastscan"}) {
    SCOPED_TRACE(name);
    Recipe recipe;
    recipe.name = name;
    Train("voice", frames_, recipe);
    Add("voice", SpeechLike(40, kDimension, 6));
    const BytesSink exported = Export("voice");
    EXPECT_EQ(exported.info.bytes, static_cast<int64_t>(exported.bytes.size()));
    EXPECT_EQ(exported.info.file_name, "voice.index");
    const auto index = IndexOf(exported.bytes);
    EXPECT_EQ(index->ntotal, 640);
    ExpectAnswersAs("voice", *index, queries_);
  }
  EXPECT_TRUE(ScratchIsEmpty());
}

TEST_F(ImportTest, ACosineExportIsAnInnerProductOverUnitRows) {
  Recipe recipe;
  recipe.factory = "IVF14,Flat";
  recipe.metric = Metric::kCosine;
  Train("voice", frames_, recipe);
  const auto index = IndexOf(Export("voice").bytes);
  EXPECT_EQ(index->metric_type, faiss::METRIC_INNER_PRODUCT);
  retrieval::Frames unit = queries_;
  for (int64_t i = 0; i < unit.rows(); ++i) {
    float* row = unit.values.data() + i * kDimension;
    const float norm = std::sqrt(std::inner_product(row, row + kDimension, row, 0.0f));
    for (int j = 0; j < kDimension; ++j) row[j] /= norm;
  }
  ExpectAnswersAs("voice", *index, unit);
}

TEST_F(ImportTest, AnExportHasTheNameThatRvcGives) {
  Recipe recipe;
  recipe.name = "rvc";
  Train("an:na", SpeechLike(100, 768), recipe);
  EXPECT_EQ(Export("an:na").info.file_name, "added_IVF2_Flat_nprobe_1_an_na_v2.index");
  Train("v1", SpeechLike(100, 256), recipe);
  EXPECT_EQ(Export("v1").info.file_name, "added_IVF2_Flat_nprobe_1_v1_v1.index");
}

TEST_F(ImportTest, AnExportImportedAgainIsTheSame) {
  Train("voice", frames_);
  const auto imported = Import("copy", Export("voice").bytes);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->nprobe, Get("voice").nprobe);
  EXPECT_EQ(imported->recall_at_8, Get("voice").recall_at_8);
  EXPECT_EQ(Search("copy", queries_).ids, Search("voice", queries_).ids);
  EXPECT_EQ(Export("copy").bytes, Export("voice").bytes);
}

TEST_F(ImportTest, FramesComeByRanges) {
  Train("voice", frames_);
  const auto more = SpeechLike(40, kDimension, 6);
  Add("voice", more);
  RowsSink sink;
  ASSERT_TRUE(client().GetFrames("voice", sink, 590, 20).ok());
  EXPECT_EQ(sink.frames.values, Joined(Rows(frames_, 590, 10), Rows(more, 0, 10)).values);
  RowsSink none;
  EXPECT_THAT(client().GetFrames("voice", none, 640).status(), IsInvalid("BAD_PARAMETER", "0 to 639"));
  EXPECT_THAT(client().GetFrames("voice", none, -1).status(), IsInvalid("BAD_PARAMETER", "first_id"));
  EXPECT_THAT(client().GetFrames("voice", none, 600, 41).status(), IsInvalid("BAD_PARAMETER", "count"));
  EXPECT_THAT(client().GetFrames("voice", none, 0, -1).status(), IsInvalid("BAD_PARAMETER", "count"));
}

TEST_F(ImportTest, ManyFramesComeInManyMessages) {
  const auto many = SpeechLike(20000, 64);
  Recipe flat;
  flat.factory = "Flat";
  Train("voice", many, flat);
  RowsSink sink;
  ASSERT_TRUE(client().GetFrames("voice", sink).ok());
  EXPECT_EQ(sink.frames.values, many.values);
}

TEST_F(ImportTest, WhatIsNotThereCannotBeExported) {
  BytesSink bytes;
  RowsSink rows;
  EXPECT_THAT(client().Export("nobody", bytes).status(),
              FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "nobody"));
  EXPECT_THAT(client().GetFrames("nobody", rows).status(),
              FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "nobody"));
}

TEST_F(ImportTest, BadFilesAreRefusedAndTheOldGenerationStays) {
  Train("voice", frames_);
  const auto trained = [&] {
    std::unique_ptr<faiss::Index> index(faiss::index_factory(kDimension, "IVF14,Flat"));
    index->train(frames_.rows(), frames_.values.data());
    return BytesOf(*index);
  }();
  const std::string whole = BytesOf(*Made("IVF14,Flat", frames_));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {trained, "added_"},
      {"", "empty"},
      {"\x93NUMPY" + std::string(200, ' '), "kith train"},
      {"IxQQ" + std::string(200, '\0'), "type"},
      {whole.substr(0, whole.size() / 2), "truncated"},
      {"nothing of the kind", "no faiss index"},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_THAT(Import("voice", bytes).status(), IsInvalid("BAD_INDEX", text));
    EXPECT_THAT(Import("new", bytes).status(), IsInvalid("BAD_INDEX", text));
  }
  EXPECT_EQ(Get("voice").generation, 1);
  EXPECT_FALSE(Get("voice").training);
  EXPECT_FALSE(client().Get("new").ok());
  WaitUntil([&] { return ScratchIsEmpty(); });
  EXPECT_EQ(Search("voice", Rows(frames_, 5, 1)).ids.front(), 5);
}

TEST_F(ImportTest, TooLargeAFileIsRefused) {
  Stop();
  options_.training.import.max_file_bytes = 10000;
  Start();
  EXPECT_THAT(Import("voice", BytesOf(*Made("Flat", frames_))).status(),
              FailsWith(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET", "10000 bytes"));
}

TEST_F(ImportTest, MeanwhileAnotherIsAborted) {
  const std::string bytes = BytesOf(*Made("Flat", frames_));
  const auto upload = StartUpload("voice", bytes);
  EXPECT_THAT(Import("voice", bytes).status(),
              FailsWith(absl::StatusCode::kAborted, "TRAINING_IN_PROGRESS", "try again when that is done"));
  MemorySource source(View(frames_));
  EXPECT_THAT(client().Train("voice", source).status(),
              FailsWith(absl::StatusCode::kAborted, "TRAINING_IN_PROGRESS", "try again when that is done"));
  (*upload)->WritesDone();
  v1::ImportResponse response;
  while ((*upload)->Read(&response)) {
  }
  EXPECT_TRUE(upload->Finish().ok());
  EXPECT_EQ(response.experiment().rows(), 600);
}

TEST_F(ImportTest, AClientThatGoesAwayMidwayLeavesNothing) {
  const std::string bytes = BytesOf(*Made("Flat", frames_));
  const auto upload = StartUpload("voice", bytes.substr(0, bytes.size() / 2));
  EXPECT_FALSE(ScratchIsEmpty());
  upload->GoAway();
  WaitUntil([&] { return !client().Get("voice").ok() && ScratchIsEmpty(); });
}

TEST_F(ImportTest, DetachedItGoesOnAlone) {
  ImportOptions options;
  options.detach = true;
  const auto accepted = Import("voice", BytesOf(*Made("Flat", frames_)), options);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  WaitUntil([&] { return client().Get("voice").ok() && Get("voice").generation == 1; });
  EXPECT_EQ(Get("voice").rows, 600);
}

TEST_F(ImportTest, TheFirstMessageNamesTheExperiment) {
  {
    auto call = OpenImport();
    call->WritesDone();
    v1::ImportResponse response;
    EXPECT_FALSE(call->Read(&response));
    EXPECT_THAT(call.Finish(), IsInvalid("BAD_PARAMETER", "experiment"));
  }
  auto call = OpenImport();
  v1::ImportRequest request;
  request.set_experiment("voice");
  call->Write(request);
  request.set_experiment("another");
  call->Write(request);
  v1::ImportResponse response;
  while (call->Read(&response)) {
  }
  EXPECT_THAT(call.Finish(), IsInvalid("BAD_PARAMETER", "first message"));
  EXPECT_FALSE(client().Get("voice").ok());
}

// A client that reads nothing holds up neither the server's end nor other calls.
TEST_F(ImportTest, AnExportThatNobodyReadsCanBeCancelled) {
  Recipe flat;
  flat.factory = "Flat";
  Train("voice", SpeechLike(100000, 64), flat);
  {
    grpc::ClientContext context;
    v1::ExportRequest request;
    request.set_name("voice");
    const auto reader = experiments().Export(&context, request);
    v1::ExportResponse first;
    ASSERT_TRUE(reader->Read(&first));
    EXPECT_EQ(first.generation(), 1);
    EXPECT_EQ(Search("voice", SpeechLike(1, 64)).ids.size(), 8u);
    context.TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  WaitUntil([&] { return ScratchIsEmpty(); });
}

TEST_F(ImportTest, RealFramesSurviveTheRoundTrip) {
  const auto real = RealFrames("voice-a/3_feature768");
  KITH_SKIP_WITHOUT(real);
  const auto index = Made("IVF100,Flat", *real);
  ASSERT_TRUE(Import("voice", BytesOf(*index)).ok());
  ExpectAnswersAs("voice", *index, QueriesNear(*real, 50, 2));
  const BytesSink exported = Export("voice");
  EXPECT_EQ(exported.info.file_name, "added_IVF100_Flat_nprobe_1_voice_v2.index");
  EXPECT_EQ(exported.bytes, BytesOf(*index));
}

}  // namespace
}  // namespace kith::testing
