#include "client/cli/tune_plot.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/cli/tune_report.h"

namespace kith::cli {
namespace {

// Pixels.
constexpr double kWidth = 860;
constexpr double kLeft = 80;
constexpr double kRight = 670;  // the legend stands behind it
constexpr double kTop = 60;
constexpr double kPanelHeight = 260;
constexpr double kPanelStep = 340;
constexpr double kHeight = kTop + kPanelStep + kPanelHeight + 60;

struct Kind {
  const char* name;
  const char* colour;  // told apart by the colour-blind as well (Okabe and Ito)
};
constexpr Kind kKinds[] = {
    {"Flat", "#000000"}, {"IVF", "#0072b2"},        {"FastScan", "#e69f00"}, {"FastScan, re-ranked", "#009e73"},
    {"HNSW", "#cc79a7"}, {"compressed", "#d55e00"}, {"expanded", "#56b4e9"}};

const Kind& KindOf(const TuneCandidate& candidate) {
  if (candidate.recipe.compression) return kKinds[5];
  if (candidate.recipe.expansion) return kKinds[6];
  if (absl::StartsWith(candidate.factory, "HNSW")) return kKinds[4];
  if (absl::StrContains(candidate.factory, "fs")) return kKinds[absl::StrContains(candidate.factory, "RFlat") ? 3 : 2];
  return kKinds[absl::StartsWith(candidate.factory, "IVF") ? 1 : 0];
}

std::string Escaped(const std::string& text) {
  std::string plain;  // XML has no control characters at all
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain), [](unsigned char c) { return c >= 0x20; });
  return absl::StrReplaceAll(plain, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string Text(double x, double y, const char* more, const std::string& text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, more, Escaped(text));
}

std::string Line(double x1, double y1, double x2, double y2, const char* colour) {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2,
                         colour);
}

// Microseconds to pixels, over whole steps of 1, 2, 5, 10...
class TimeAxis {
 public:
  explicit TimeAxis(const std::vector<TuneCandidate>& candidates) {
    double least = HUGE_VAL;
    double most = 0;
    for (const TuneCandidate& candidate : candidates) {
      const double time = std::max(candidate.microseconds_per_row, 1e-3);
      least = std::min(least, time);
      most = std::max(most, time);
    }
    for (double decade = std::pow(10, std::floor(std::log10(least))); ticks_.empty() || ticks_.back() <= most;
         decade *= 10) {
      for (const double step : {1.0, 2.0, 5.0}) {
        if (!ticks_.empty() && ticks_.back() > most) break;
        if (step * decade * 2.5 >= least) ticks_.push_back(step * decade);
      }
    }
  }

  const std::vector<double>& ticks() const { return ticks_; }
  double At(double microseconds) const {
    const double first = std::log(ticks_.front());
    const double part = (std::log(std::max(microseconds, 1e-3)) - first) / (std::log(ticks_.back()) - first);
    return kLeft + std::clamp(part, 0.0, 1.0) * (kRight - kLeft);
  }

 private:
  std::vector<double> ticks_;
};

// One measurement over time: the scale goes up to 1.
class Panel {
 public:
  Panel(const std::vector<TuneCandidate>& candidates, double TuneCandidate::*value, double top, const char* label)
      : candidates_(candidates), value_(value), top_(top), label_(label), time_(candidates) {
    double least = 1;
    for (const TuneCandidate& candidate : candidates) least = std::min(least, candidate.*value);
    step_ = std::pow(10, std::floor(std::log10(std::max(1 - least, 1e-4))));
    if ((1 - least) / step_ > 5) step_ *= 2;
    least_ = 1 - std::max(1.0, std::ceil((1 - least) / step_)) * step_;
  }

  std::string Draw() const { return absl::StrCat(Axes(), Front(), Points()); }

 private:
  double Y(double value) const { return top_ + std::clamp((1 - value) / (1 - least_), 0.0, 1.0) * kPanelHeight; }

  std::string Axes() const {
    const double bottom = top_ + kPanelHeight;
    std::string svg;
    for (double value = 1; value > least_ - step_ / 2; value -= step_) {
      absl::StrAppend(&svg, Line(kLeft, Y(value), kRight, Y(value), "#dddddd"));
      absl::StrAppend(&svg, Text(kLeft - 8, Y(value) + 4, "text-anchor=\"end\"", absl::StrFormat("%.4g", value)));
    }
    for (const double time : time_.ticks()) {
      absl::StrAppend(&svg, Line(time_.At(time), top_, time_.At(time), bottom, "#dddddd"));
      absl::StrAppend(&svg, Text(time_.At(time), bottom + 18, "text-anchor=\"middle\"", absl::StrFormat("%g", time)));
    }
    absl::StrAppend(&svg, Line(kLeft, top_, kLeft, bottom, "#333333"), Line(kLeft, bottom, kRight, bottom, "#333333"));
    absl::StrAppend(&svg, Text((kLeft + kRight) / 2, bottom + 38, "text-anchor=\"middle\"",
                               "microseconds per row: search and blend in blocks of 16, one thread"));
    return absl::StrCat(svg, Text(kLeft, top_ - 10, "font-weight=\"bold\"", label_));
  }

  // The candidates are sorted by time: each that beats all faster ones is a step of the line.
  std::string Front() const {
    std::string points;
    double best = -1;
    for (const TuneCandidate& candidate : candidates_) {
      if (candidate.*value_ <= best) continue;
      const double x = time_.At(candidate.microseconds_per_row);
      if (best >= 0) absl::StrAppendFormat(&points, " %.1f,%.1f", x, Y(best));
      best = candidate.*value_;
      absl::StrAppendFormat(&points, " %.1f,%.1f", x, Y(best));
    }
    return absl::StrCat("<polyline fill=\"none\" stroke=\"#999999\" stroke-width=\"1.5\" points=\"", points.substr(1),
                        "\"/>\n");
  }

  std::string Points() const {
    std::string svg;
    for (const TuneCandidate& candidate : candidates_) {
      const double x = time_.At(candidate.microseconds_per_row);
      const double y = Y(candidate.*value_);
      const char* colour = KindOf(candidate).colour;
      if (candidate.chosen) {
        absl::StrAppendFormat(
            &svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"9\" fill=\"none\" stroke=\"#333333\" stroke-width=\"2\"/>\n", x,
            y);
      }
      const std::string title =
          absl::StrFormat("%s: recall@8 %.3f, blend %.5f, %.1f us a row", CandidateName(candidate),
                          candidate.recall_at_8, candidate.blend_cosine, candidate.microseconds_per_row);
      absl::StrAppendFormat(
          &svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\" stroke=\"%s\"><title>%s</title></circle>\n", x, y,
          candidate.pareto ? colour : "#ffffff", colour, Escaped(title));
    }
    return svg;
  }

  const std::vector<TuneCandidate>& candidates_;
  double TuneCandidate::*const value_;
  const double top_;
  const char* const label_;
  const TimeAxis time_;
  double step_;
  double least_;
};

std::string Legend(const std::vector<TuneCandidate>& candidates) {
  std::string svg;
  double y = kTop + 10;
  const auto entry = [&](const char* fill, const char* stroke, int radius, const char* text) {
    absl::StrAppendFormat(&svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\" stroke=\"%s\"/>\n", kRight + 25,
                          y - 4, radius, fill, stroke);
    absl::StrAppend(&svg, Text(kRight + 40, y, "", text));
    y += 20;
  };
  for (const Kind& kind : kKinds) {
    const auto is_kind = [&](const TuneCandidate& candidate) { return &KindOf(candidate) == &kind; };
    if (std::any_of(candidates.begin(), candidates.end(), is_kind)) entry(kind.colour, kind.colour, 4, kind.name);
  }
  entry("#ffffff", "#333333", 4, "not on the front");
  entry("none", "#333333", 7, "chosen");
  return svg;
}

}  // namespace

std::string TunePlot(const std::string& title, const std::vector<TuneCandidate>& candidates) {
  return absl::StrCat(
      absl::StrFormat("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" "
                      "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n"
                      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                      kWidth, kHeight, kWidth, kHeight),
      Text(kLeft, 24, "font-size=\"16\"", title),
      Panel(candidates, &TuneCandidate::recall_at_8, kTop, "recall@8: share of the 8 nearest stored rows found").Draw(),
      Panel(candidates, &TuneCandidate::blend_cosine, kTop + kPanelStep,
            "blend: cosine of the blended frame to that of exact search in all frames")
          .Draw(),
      Legend(candidates), "</svg>\n");
}

}  // namespace kith::cli
