// kith tune against a server that answers at once; and what it prints and draws.
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "client/cli/app.h"
#include "client/cli/tune_plot.h"
#include "client/cli/tune_report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/temporary_folder.h"
#include "tests/client/fake_server.h"

namespace kith::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

class TuneCommandTest : public ::testing::Test {
 protected:
  int Kith(std::vector<const char*> arguments) {
    const std::string target = server_.target();
    arguments.insert(arguments.begin(), {"kith", "tune"});
    arguments.insert(arguments.end(), {"--server", target.c_str()});
    out_.str("");
    err_.str("");
    Context context{out_, err_, false, -1, -1, cancellation_};
    return RunKith(static_cast<int>(arguments.size()), arguments.data(), context);
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  test::FakeServer server_;
  const TemporaryFolder folder_;
  Cancellation cancellation_;
  std::ostringstream out_;
  std::ostringstream err_;
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST_F(TuneCommandTest, PrintsTheFrontAndMarksTheChosenOne) {
  ASSERT_EQ(Kith({"a"}), kDone) << err_.str();
  EXPECT_THAT(Lines(out_.str()),
              ElementsAre("  recall@8     blend     us/row      memory      build  index",
                          "     0.990   0.97000       55.0    43.0 MiB      2.5 s  compressed to 1813, Flat",
                          "*    0.982   0.99760       60.0    43.0 MiB      2.5 s  IVF185,PQ384x4fs,RFlat, nprobe 16, "
                          "k_factor 4",
                          "     1.000   1.00000      400.0    43.0 MiB      2.5 s  Flat"));
  ASSERT_EQ(Kith({"a", "--all"}), kDone) << err_.str();
  EXPECT_EQ(Lines(out_.str()).size(), 5u);
  EXPECT_THAT(out_.str(), HasSubstr("\n     0.967"));
  EXPECT_THAT(out_.str(), HasSubstr("\n+    0.990"));
  EXPECT_THAT(out_.str(), HasSubstr("\n*    0.982"));
}

TEST_F(TuneCommandTest, ReportsEverythingAsJson) {
  ASSERT_EQ(Kith({"a", "--json"}), kDone) << err_.str();
  const Json report = Json::parse(out_.str());
  EXPECT_EQ(report["experiment"], "a");
  EXPECT_EQ(report["rows"], 7253);
  EXPECT_EQ(report["dimension"], 768);
  EXPECT_EQ(report["applied"], false);
  ASSERT_EQ(report["candidates"].size(), 4u);
  std::vector<std::string> keys;
  for (const auto& [key, value] : report["candidates"][0].items()) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("factory", "compression", "expansion", "nprobe", "k_factor", "rows", "recall_at_8",
                                "blend_cosine", "us_per_row", "bytes", "build_seconds", "pareto", "chosen"));
  EXPECT_EQ(report["candidates"][1]["compression"]["centres"], 1813);
  EXPECT_EQ(report["candidates"][1]["nprobe"], nullptr);
  EXPECT_EQ(report["candidates"][2]["k_factor"], 4);
  EXPECT_EQ(report["candidates"][2]["chosen"], true);
}

TEST_F(TuneCommandTest, SendsWhatItWasGiven) {
  const std::string queries = folder_.WriteNpy("queries.npy", std::vector<float>(768 * 3, 1), 768);
  ASSERT_EQ(Kith({"a", "--queries", queries.c_str(), "--sample", "500", "--target-recall", "0.9", "--seed", "7"}),
            kDone)
      << err_.str();
  const v1::TuneRequest& request = server_.experiments.tune_request;
  EXPECT_EQ(test::RowsOf(request.queries()), 3);
  EXPECT_EQ(request.sample(), 500);
  EXPECT_EQ(request.target_recall(), 0.9);
  EXPECT_EQ(request.seed(), 7);
  ASSERT_EQ(Kith({"a"}), kDone);
  EXPECT_FALSE(server_.experiments.tune_request.has_queries());
  EXPECT_FALSE(server_.experiments.tune_request.has_target_recall());
}

TEST_F(TuneCommandTest, ApplyTrainsByTheChosenRecipe) {
  ASSERT_EQ(Kith({"a", "--apply", "--json"}), kDone) << err_.str();
  EXPECT_EQ(Json::parse(out_.str())["applied"], true);
  const v1::Recipe recipe = server_.retrieval.recipe();
  EXPECT_EQ(recipe.factory(), "IVF185,PQ384x4fs,RFlat");
  EXPECT_EQ(recipe.nprobe(), 16);
  EXPECT_EQ(recipe.k_factor(), 4);
  EXPECT_EQ(recipe.metric(), v1::METRIC_COSINE);
  ASSERT_EQ(Kith({"a", "--apply"}), kDone) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("trained a anew, generation 1"));
}

TEST_F(TuneCommandTest, CtrlCEndsItWithOneLine) {
  server_.experiments.while_tuning = [this] { cancellation_.Cancel(); };
  server_.experiments.tune_hangs = true;
  EXPECT_EQ(Kith({"a"}), kFailed);
  EXPECT_EQ(err_.str(), "kith: interrupted\n");
  EXPECT_EQ(out_.str(), "");
}

TEST_F(TuneCommandTest, FailuresAreTold) {
  EXPECT_EQ(Kith({"x"}), kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("x"));
  EXPECT_EQ(Kith({"a", "--queries", "/nowhere.npy"}), kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("/nowhere.npy"));
}

TEST_F(TuneCommandTest, APlotThatCannotBeWrittenIsToldBeforeAnythingIsMeasured) {
  bool measured = false;
  server_.experiments.while_tuning = [&measured] { measured = true; };
  EXPECT_EQ(Kith({"a", "--plot", "/nowhere/plot.svg"}), kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("/nowhere/plot.svg: cannot be created"));
  EXPECT_FALSE(measured);
}

TEST_F(TuneCommandTest, WarnsWhereTheRecipeOfASampleIsAppliedToAllFrames) {
  ASSERT_EQ(Kith({"a", "--sample", "500", "--apply", "--json"}), kDone);
  EXPECT_THAT(err_.str(), HasSubstr("kith: warning: --apply trains all 7253 frames"));
  EXPECT_THAT(err_.str(), HasSubstr("leave out --sample"));
  EXPECT_EQ(Json::parse(out_.str())["applied"], true);
  for (const std::vector<const char*>& whole : std::vector<std::vector<const char*>>{
           {"a", "--sample", "500"}, {"a", "--sample", "7253", "--apply"}, {"a", "--apply"}}) {
    ASSERT_EQ(Kith(whole), kDone);
    EXPECT_EQ(err_.str(), "");
  }
}

TEST_F(TuneCommandTest, PlotsIntoAFile) {
  ASSERT_EQ(Kith({"a", "--plot", Path("plot.svg").c_str()}), kDone) << err_.str();
  std::stringstream file;
  file << std::ifstream(Path("plot.svg")).rdbuf();
  EXPECT_THAT(file.str(), HasSubstr("a: 7253 frames of 768 dimensions"));
  EXPECT_THAT(file.str(), HasSubstr("</svg>"));
  EXPECT_EQ(Kith({"x", "--plot", Path("failed.svg").c_str()}), kFailed);  // what failed leaves no file
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

// Every element closed in its order, no stray < or &. What is left of a document without its markup.
std::string TextOf(const std::string& svg) {
  static const std::regex tag("<(/?)([a-z]+)((?: [a-zA-Z0-9-]+=\"[^\"<]*\")*) ?(/?)>");
  std::vector<std::string> open;
  std::string text;
  auto from = svg.cbegin();
  for (std::sregex_iterator match(svg.begin(), svg.end(), tag), end; match != end; ++match) {
    text.append(from, svg.cbegin() + match->position());
    from = svg.cbegin() + match->position() + match->length();
    if ((*match)[1].length() > 0) {
      if (open.empty() || open.back() != (*match)[2]) return "closes " + (*match)[2].str();
      open.pop_back();
    } else if ((*match)[4].length() == 0) {
      open.push_back((*match)[2]);
    }
  }
  if (!open.empty()) return "open: " + open.back();
  text.append(from, svg.cend());
  return text;
}

TuneCandidate Candidate(const std::string& factory, double microseconds, double recall) {
  TuneCandidate candidate;
  candidate.factory = factory;
  candidate.microseconds_per_row = microseconds;
  candidate.recall_at_8 = recall;
  candidate.blend_cosine = recall;
  return candidate;
}

TEST(TunePlotTest, IsWellFormedWhateverTheTitle) {
  const std::string svg = TunePlot("<b>\"Tom\" & 'Anna'\x01\n</b> \xe5\xa3\xb0",
                                   {Candidate("IVF9,Flat", 12, 0.7), Candidate("Flat", 300, 1)});
  const std::string text = TextOf(svg);
  EXPECT_THAT(text, HasSubstr("&lt;b&gt;&quot;Tom&quot; &amp; 'Anna'&lt;/b&gt; \xe5\xa3\xb0"));
  EXPECT_THAT(text, Not(HasSubstr("<")));
  EXPECT_THAT(text, HasSubstr("microseconds per row"));
  EXPECT_THAT(text, HasSubstr("recall@8"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(TunePlotTest, HasAPointForEachCandidateInEachPanelInsideThePicture) {
  const std::string svg = TunePlot("t", {Candidate("IVF9,Flat", 0.5, 0.1), Candidate("IVF9,PQ4x4fs", 40, 0.4),
                                         Candidate("HNSW32", 90, 0.9), Candidate("Flat", 12345, 1)});
  static const std::regex point("<circle cx=\"([0-9.]+)\" cy=\"([0-9.]+)\" r=\"4\"[^>]*><title>");
  int points = 0;
  for (std::sregex_iterator match(svg.begin(), svg.end(), point), end; match != end; ++match, ++points) {
    EXPECT_GE(std::stod((*match)[1]), 80);
    EXPECT_LE(std::stod((*match)[1]), 670);
    EXPECT_LE(std::stod((*match)[2]), 660);
  }
  EXPECT_EQ(points, 8);
}

TEST(TunePlotTest, OneCandidateOrEqualOnesAreDrawnToo) {
  for (const double recall : {0.0, 1.0}) {
    const std::string svg = TunePlot("t", {Candidate("Flat", 0, recall), Candidate("Flat", 0, recall)});
    EXPECT_THAT(TextOf(svg), HasSubstr("Flat"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

}  // namespace
}  // namespace kith::cli
