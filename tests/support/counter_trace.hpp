// Plays a trace file on a CounterMachine.
//
// A trace is text: one command per line, '#' begins a comment, times are like 10ms, 2s, 5min.
//
//   counter DOMAIN ZONE START_UJ [RANGE_UJ] [late]
//                       a counter: package-0 intel-rapl:0 1000000; `late`: its file does not
//                       exist yet
//   draw DOMAIN WATTS   from now on; before the first `run`, from before the counters are opened
//   run TIME            time passes and the counters are read every 10 ms
//   unread TIME         time passes without readings
//   set DOMAIN UJ       the counter continues from this value, as after a reset
//   push DOMAIN JOULES  the counter grows by more than the energy used
//   stall DOMAIN hides|stops|ends
//                       it stands still, keeps counting or not; `ends`: it continues
//   fail DOMAIN on|off  reads fail
//   remove DOMAIN, remove_all, bring_back DOMAIN UJ
//                       files vanish and come back
//   sleep TIME          the machine sleeps
//   expect CODE…        the warnings that there must be, exactly; without this there must be none
//   expect_perf CODE…   the same if perf events are read: their 64 bits do not wrap
//   gap DOMAIN…         the domains with a time of unknown energy; the others must have none
//   gap_perf DOMAIN…    the same if perf events are read
//   files_only          the trace is not for perf events
#pragma once

#include "support/counter_machine.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace enprof::testing {

class CounterTrace {
 public:
  explicit CounterTrace(const std::filesystem::path& path) {
    std::ifstream in(path);
    if (!in) {
      throw std::runtime_error("cannot read " + path.string());
    }
    std::string line;
    while (std::getline(in, line)) {
      std::istringstream words(line.substr(0, line.find('#')));
      std::vector<std::string> command;
      for (std::string word; words >> word;) {
        command.push_back(word);
      }
      if (command.empty()) {
        continue;
      }
      const std::string verb = command.front();
      if (verb == "expect") {
        expected_.insert(command.begin() + 1, command.end());
      } else if (verb == "expect_perf") {
        expected_perf_.emplace(command.begin() + 1, command.end());
      } else if (verb == "gap") {
        gaps_.insert(command.begin() + 1, command.end());
      } else if (verb == "gap_perf") {
        gaps_perf_.emplace(command.begin() + 1, command.end());
      } else if (verb == "files_only") {
        files_only_ = true;
      } else if (verb == "draw" && commands_.empty()) {
        first_draws_.push_back(command);
      } else if (verb == "counter") {
        counters_.push_back(command);
      } else {
        commands_.push_back(command);
      }
    }
  }

  [[nodiscard]] bool files_only() const { return files_only_; }
  [[nodiscard]] const std::set<std::string>& expected(bool perf) const {
    return perf && expected_perf_ ? *expected_perf_ : expected_;
  }
  [[nodiscard]] bool has_gap(const std::string& domain, bool perf) const {
    return (perf && gaps_perf_ ? *gaps_perf_ : gaps_).contains(domain);
  }
  [[nodiscard]] std::vector<std::string> domains() const {
    std::vector<std::string> result;
    result.reserve(counters_.size());
    for (const auto& counter : counters_) {
      result.push_back(counter.at(1));
    }
    return result;
  }

  /// Adds its counters to a machine.
  void set_up(CounterMachine& machine, bool perf) const {
    int sockets = 1;
    for (const auto& words : counters_) {
      const std::string& domain = words.at(1);
      const std::string kind = domain.substr(0, domain.find('-'));
      const bool second = domain.ends_with("-1");
      sockets = second ? 2 : sockets;
      // The second socket's steps have an offset; memory steps a little later than its package.
      const auto phase = std::chrono::microseconds{(second ? 400 : 0) + (kind == "dram" ? 20 : 0)};
      const bool is_named_late = words.back() == "late";
      machine.add(
          domain, words.at(2), kind == "package" ? domain : kind, std::stoull(words.at(3)),
          words.size() > 4 && words.at(4) != "late" ? std::stoull(words.at(4)) : FakeRapl::kRange,
          phase);
      if (is_named_late) {
        machine.remove(domain);
      }
    }
    for (const auto& words : first_draws_) {
      play(words, machine, [] {});
    }
    if (perf) {
      machine.add_perf_files(sockets);
      machine.remove_powercap();
    }
  }

  /// Plays the trace; calls `read` every 10 ms of `run`.
  void play(CounterMachine& machine, const std::function<void()>& read) const {
    for (const auto& words : commands_) {
      play(words, machine, read);
    }
  }

 private:
  static Nanoseconds time(const std::string& text) {
    std::size_t digits = 0;
    const double value = std::stod(text, &digits);
    const std::string unit = text.substr(digits);
    const double milliseconds = unit == "ms"    ? value
                                : unit == "s"   ? value * 1e3
                                : unit == "min" ? value * 6e4
                                                : throw std::runtime_error("no time: " + text);
    return from_ms(milliseconds);
  }

  static void play(const std::vector<std::string>& words, CounterMachine& machine,
                   const std::function<void()>& read) {
    constexpr Nanoseconds kInterval = std::chrono::milliseconds{10};
    const std::string& verb = words.front();
    const auto word = [&](std::size_t index) { return words.at(index); };
    if (verb == "draw") {
      machine.draw(word(1), std::stod(word(2)));
    } else if (verb == "run") {
      for (Nanoseconds passed{0}; passed < time(word(1)); passed += kInterval) {
        machine.pass(kInterval);
        read();
      }
    } else if (verb == "unread") {
      machine.pass(time(word(1)));
    } else if (verb == "set") {
      machine.set(word(1), std::stoull(word(2)));
    } else if (verb == "push") {
      machine.push(word(1), std::stod(word(2)));
    } else if (verb == "stall") {
      machine.stall(word(1), word(2) == "hides"   ? CounterMachine::Stall::hides
                             : word(2) == "stops" ? CounterMachine::Stall::stops
                                                  : CounterMachine::Stall::none);
    } else if (verb == "fail") {
      machine.fail(word(1), word(2) == "on");
    } else if (verb == "remove") {
      machine.remove(word(1));
    } else if (verb == "remove_all") {
      machine.remove_tree();
    } else if (verb == "bring_back") {
      machine.bring_back(word(1), std::stoull(word(2)));
    } else if (verb == "sleep") {
      machine.sleep(time(word(1)));
    } else {
      throw std::runtime_error("no command: " + verb);
    }
  }

  std::vector<std::vector<std::string>> counters_;
  std::vector<std::vector<std::string>> first_draws_;
  std::vector<std::vector<std::string>> commands_;
  std::set<std::string> expected_;
  std::optional<std::set<std::string>> expected_perf_;
  std::set<std::string> gaps_;
  std::optional<std::set<std::string>> gaps_perf_;
  bool files_only_ = false;
};

}  // namespace enprof::testing
