#include "power/estimate/cpu_power_table.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>

namespace enprof {
namespace {

// clang-format off
constexpr std::array<CpuRating, 174> kRatings{{
    // Rated power of Intel and AMD CPUs, from the lists that CodeCarbon collected from
    // ark.intel.com and amd.com (github.com/mlco2/codecarbon, codecarbon/data/hardware:
    // cpu_power.csv and cpu_dataset_builder/*.csv). Each row was checked against them; rows that
    // they lack are marked. Intel Xeon: TDP.
    {"E5-2630 v4", Watts{85}, 20},
    {"E5-2650 v4", Watts{105}, 24},
    {"E5-2670 v3", Watts{120}, 24},  // unchecked
    {"E5-2680 v3", Watts{120}, 24},  // unchecked
    {"E5-2680 v4", Watts{120}, 28},
    {"E5-2690 v4", Watts{135}, 28},
    {"E5-2698 v4", Watts{135}, 40},  // unchecked
    {"E5-2699 v4", Watts{145}, 44},  // unchecked
    {"Silver 4114", Watts{85}, 20},
    {"Silver 4210", Watts{85}, 20},
    {"Silver 4214", Watts{85}, 24},
    {"Silver 4310", Watts{120}, 24},
    {"Silver 4314", Watts{135}, 32},
    {"Silver 4410Y", Watts{150}, 24},
    {"Gold 6130", Watts{125}, 32},
    {"Gold 6140", Watts{140}, 36},
    {"Gold 6148", Watts{150}, 40},
    {"Gold 6154", Watts{200}, 36},
    {"Gold 6226R", Watts{150}, 32},
    {"Gold 6230", Watts{125}, 40},
    {"Gold 6240", Watts{150}, 36},
    {"Gold 6248", Watts{150}, 40},
    {"Gold 6248R", Watts{205}, 48},
    {"Gold 6258R", Watts{205}, 56},
    {"Gold 6326", Watts{185}, 32},
    {"Gold 6330", Watts{205}, 56},
    {"Gold 6338", Watts{205}, 64},
    {"Gold 6348", Watts{235}, 56},
    {"Gold 6354", Watts{205}, 36},
    {"Gold 6430", Watts{270}, 64},
    {"Gold 6448Y", Watts{225}, 64},
    {"Platinum 8160", Watts{150}, 48},
    {"Platinum 8168", Watts{205}, 48},
    {"Platinum 8180", Watts{205}, 56},
    {"Platinum 8260", Watts{165}, 48},
    {"Platinum 8268", Watts{205}, 48},
    {"Platinum 8280", Watts{205}, 56},
    {"Platinum 8358", Watts{250}, 64},
    {"Platinum 8360Y", Watts{250}, 72},
    {"Platinum 8368", Watts{270}, 76},
    {"Platinum 8380", Watts{270}, 80},
    {"Platinum 8460Y+", Watts{300}, 80},
    {"Platinum 8468", Watts{350}, 96},
    {"Platinum 8480+", Watts{350}, 112},
    {"Platinum 8490H", Watts{350}, 120},
    {"Platinum 8558", Watts{330}, 96},
    {"Platinum 8568Y+", Watts{350}, 96},
    {"Platinum 8580", Watts{350}, 120},
    {"Platinum 8592+", Watts{350}, 128},
    {"CPU Max 9480", Watts{350}, 112},
    {"Xeon 6960P", Watts{500}, 144},
    {"Xeon 6972P", Watts{500}, 192},
    {"Xeon 6980P", Watts{500}, 256},
    {"w9-3495X", Watts{350}, 112},  // unchecked
    // Intel Core: TDP or processor base power; turbo may draw twice as much.
    {"i5-8250U", Watts{15}, 8},
    {"i7-8700K", Watts{95}, 12},
    {"i9-9900K", Watts{95}, 16},
    {"i7-10700K", Watts{125}, 16},
    {"i9-10900K", Watts{125}, 20},
    {"i5-11400", Watts{65}, 12},
    {"i9-11900K", Watts{125}, 16},
    {"i7-1165G7", Watts{28}, 8},
    {"i7-1185G7", Watts{28}, 8},
    {"i5-12400", Watts{65}, 12},  // unchecked
    {"i5-12600K", Watts{125}, 16},  // unchecked
    {"i7-12700K", Watts{125}, 20},  // unchecked
    {"i9-12900K", Watts{125}, 24},  // unchecked
    {"i7-1260P", Watts{28}, 16},  // unchecked
    {"i5-13600K", Watts{125}, 20},  // unchecked
    {"i7-13700K", Watts{125}, 24},  // unchecked
    {"i9-13900K", Watts{125}, 32},  // unchecked
    {"i7-1360P", Watts{28}, 16},  // unchecked
    {"i5-14600K", Watts{125}, 20},  // unchecked
    {"i7-14700K", Watts{125}, 28},  // unchecked
    {"i9-14900K", Watts{125}, 32},  // unchecked
    {"Ultra 7 155H", Watts{28}, 22},  // unchecked
    {"Ultra 9 185H", Watts{45}, 22},  // unchecked
    {"Ultra 7 258V", Watts{17}, 8},  // unchecked
    {"Ultra 7 265K", Watts{125}, 20},  // unchecked
    {"Ultra 9 285K", Watts{125}, 24},  // unchecked
    // AMD EPYC: default TDP.
    {"EPYC 7401", Watts{170}, 48},
    {"EPYC 7551", Watts{180}, 64},
    {"EPYC 7601", Watts{180}, 64},
    {"EPYC 7302", Watts{155}, 32},
    {"EPYC 7402", Watts{180}, 48},
    {"EPYC 7452", Watts{155}, 64},
    {"EPYC 7502", Watts{180}, 64},
    {"EPYC 7542", Watts{225}, 64},
    {"EPYC 7552", Watts{200}, 96},
    {"EPYC 7642", Watts{225}, 96},
    {"EPYC 7702", Watts{200}, 128},
    {"EPYC 7742", Watts{225}, 128},
    {"EPYC 7H12", Watts{280}, 128},
    {"EPYC 7313", Watts{155}, 32},
    {"EPYC 7343", Watts{190}, 32},
    {"EPYC 7413", Watts{180}, 48},
    {"EPYC 7443", Watts{200}, 48},
    {"EPYC 7453", Watts{225}, 56},
    {"EPYC 7513", Watts{200}, 64},
    {"EPYC 7543", Watts{225}, 64},
    {"EPYC 75F3", Watts{280}, 64},
    {"EPYC 7643", Watts{225}, 96},
    {"EPYC 7663", Watts{240}, 112},
    {"EPYC 7713", Watts{225}, 128},
    {"EPYC 7763", Watts{280}, 128},
    {"EPYC 7773X", Watts{280}, 128},
    {"EPYC 9124", Watts{200}, 32},
    {"EPYC 9224", Watts{200}, 48},
    {"EPYC 9254", Watts{200}, 48},
    {"EPYC 9334", Watts{210}, 64},
    {"EPYC 9354", Watts{280}, 64},
    {"EPYC 9374F", Watts{320}, 64},
    {"EPYC 9454", Watts{290}, 96},
    {"EPYC 9474F", Watts{360}, 96},
    {"EPYC 9534", Watts{280}, 128},
    {"EPYC 9554", Watts{360}, 128},
    {"EPYC 9634", Watts{290}, 168},
    {"EPYC 9654", Watts{360}, 192},
    {"EPYC 9684X", Watts{400}, 192},
    {"EPYC 9734", Watts{340}, 224},
    {"EPYC 9754", Watts{360}, 256},
    {"EPYC 9355", Watts{280}, 64},
    {"EPYC 9455", Watts{300}, 96},
    {"EPYC 9555", Watts{360}, 128},
    {"EPYC 9575F", Watts{400}, 128},
    {"EPYC 9655", Watts{400}, 192},
    {"EPYC 9755", Watts{500}, 256},
    {"EPYC 9845", Watts{390}, 320},
    {"EPYC 9965", Watts{500}, 384},
    // AMD Ryzen: default TDP.
    {"Ryzen 5 3600", Watts{65}, 12},
    {"Ryzen 7 3700X", Watts{65}, 16},
    {"Ryzen 9 3900X", Watts{105}, 24},
    {"Ryzen 9 3950X", Watts{105}, 32},
    {"Ryzen 5 5600X", Watts{65}, 12},
    {"Ryzen 7 5800X", Watts{105}, 16},
    {"Ryzen 7 5800X3D", Watts{105}, 16},  // unchecked
    {"Ryzen 9 5900X", Watts{105}, 24},
    {"Ryzen 9 5950X", Watts{105}, 32},
    {"Ryzen 7 5700U", Watts{15}, 16},  // unchecked
    {"Ryzen 7 5800H", Watts{45}, 16},  // AMD's default; the list has its upper limit, 54 W
    {"Ryzen 7 6800H", Watts{45}, 16},  // unchecked
    {"Ryzen 5 7600X", Watts{105}, 12},  // unchecked
    {"Ryzen 7 7700X", Watts{105}, 16},  // unchecked
    {"Ryzen 7 7800X3D", Watts{120}, 16},  // unchecked
    {"Ryzen 9 7900X", Watts{170}, 24},  // unchecked
    {"Ryzen 9 7950X", Watts{170}, 32},  // unchecked
    {"Ryzen 9 7950X3D", Watts{120}, 32},  // unchecked
    {"Ryzen 7 7840U", Watts{28}, 16},  // unchecked
    {"Ryzen 5 9600X", Watts{65}, 12},  // unchecked
    {"Ryzen 7 9700X", Watts{65}, 16},  // unchecked
    {"Ryzen 7 9800X3D", Watts{120}, 16},  // unchecked
    {"Ryzen 9 9900X", Watts{120}, 24},  // unchecked
    {"Ryzen 9 9950X", Watts{170}, 32},  // unchecked
    {"Ryzen AI 9 HX 370", Watts{28}, 24},
    {"Ryzen AI MAX+ 395", Watts{55}, 32},
    {"Threadripper 3970X", Watts{280}, 64},
    {"Threadripper 3990X", Watts{280}, 128},
    {"Threadripper PRO 5995WX", Watts{280}, 128},
    {"Threadripper 7980X", Watts{350}, 128},  // unchecked
    {"Threadripper PRO 7995WX", Watts{350}, 192},  // unchecked
    // Apple publishes no ratings: these are unchecked guesses of CPU power under full load.
    {"Apple M1", Watts{15}, 8},
    {"Apple M1 Pro", Watts{30}, 10},
    {"Apple M1 Max", Watts{30}, 10},
    {"Apple M1 Ultra", Watts{60}, 20},
    {"Apple M2", Watts{20}, 8},
    {"Apple M2 Pro", Watts{35}, 12},
    {"Apple M2 Max", Watts{35}, 12},
    {"Apple M2 Ultra", Watts{70}, 24},
    {"Apple M3", Watts{20}, 8},
    {"Apple M3 Pro", Watts{28}, 12},
    {"Apple M3 Max", Watts{55}, 16},
    {"Apple M4", Watts{22}, 10},
    {"Apple M4 Pro", Watts{45}, 14},
    {"Apple M4 Max", Watts{60}, 16},
}};
// clang-format on

/// Watts for each logical CPU. For the families of the table: the median of their parts, rounded to
/// a half. ARM's CPUs only give the design of their cores, so one part with such cores represents
/// each design: Neoverse-N1: Ampere Altra Q80-30, 210 W for 80 cores (amperecomputing.com);
/// Neoverse-V2: half of an NVIDIA Grace superchip, 500 W for 144 cores with their memory
/// (nvidia.com); Cortex: boards with four cores that draw 4 to 8 W at full load.
struct Family {
  std::string_view word;
  Watts per_cpu;
};
constexpr std::array<Family, 9> kFamilies{{
    {"EPYC", Watts{3.0}},
    {"Xeon", Watts{4.0}},
    {"Threadripper", Watts{2.0}},
    {"Ryzen", Watts{5.0}},
    {"Intel Core", Watts{5.0}},
    {"Apple", Watts{3.0}},
    {"Neoverse-N1", Watts{2.6}},
    {"Neoverse-V2", Watts{3.5}},
    {"Cortex", Watts{1.5}},
}};
/// For a CPU of an unknown family.
constexpr Watts kUnknownPerCpu{3.0};

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+'; }

/// Whether the words occur in the name, with no letter or digit right before or after them. A P at
/// the end of an EPYC's name (for one socket) is ignored: it has the same rating.
bool occurs(std::string_view words, std::string_view name) {
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  for (auto rest = name; !rest.empty();) {
    const auto found = std::ranges::search(rest, words, same);
    if (found.empty()) {
      return false;
    }
    const auto begin = static_cast<std::size_t>(found.begin() - name.begin());
    std::size_t end = begin + words.size();
    if (end < name.size() && name[end] == 'P' && words.starts_with("EPYC")) {
      ++end;
    }
    if ((begin == 0 || !is_word(name[begin - 1])) && (end == name.size() || !is_word(name[end]))) {
      return true;
    }
    rest = name.substr(begin + 1);
  }
  return false;
}

}  // namespace

const CpuRating* find_cpu_rating(std::string_view cpu_name) {
  const CpuRating* best = nullptr;
  for (const CpuRating& rating : kRatings) {
    if ((best == nullptr || rating.name.size() > best->name.size()) &&
        occurs(rating.name, cpu_name)) {
      best = &rating;
    }
  }
  return best;
}

Watts typical_power_per_cpu(std::string_view cpu_name) {
  for (const Family& family : kFamilies) {
    if (occurs(family.word, cpu_name)) {
      return family.per_cpu;
    }
  }
  return kUnknownPerCpu;
}

std::span<const CpuRating> cpu_ratings() { return kRatings; }

}  // namespace enprof
