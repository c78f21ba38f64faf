// A fake `powermetrics` and a fake `sudo`: shell scripts that the real code runs.
#pragma once

#include "support/temp_dir.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof::testing {

/// A document of powermetrics in the layout of Apple silicon, with these lines between <dict> and
/// </dict> of `processor`.
inline std::string powermetrics_document(std::string_view processor, long elapsed_ns = 50'000'000,
                                         std::string_view more = {}) {
  return R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>is_delta</key><true/>
<key>elapsed_ns</key><integer>)" +
         std::to_string(elapsed_ns) + R"(</integer>
<key>hw_model</key><string>Mac16,1</string>
<key>timestamp</key><date>2026-11-24T15:40:00Z</date>
<key>processor</key>
<dict>
)" + std::string(processor) +
         "\n</dict>\n" + std::string(more) + "\n</dict>\n</plist>\n";
}

inline std::string real_entry(std::string_view key, std::string_view value) {
  return "<key>" + std::string(key) + "</key><real>" + std::string(value) + "</real>\n";
}

/// 3 W: CPU 2 W, GPU 0.75 W, neural engine 0.25 W.
inline std::string apple_document(long elapsed_ns = 50'000'000) {
  return powermetrics_document(
      real_entry("cpu_power", "2000") + real_entry("gpu_power", "750") +
          real_entry("ane_power", "250") + real_entry("combined_power", "3000"),
      elapsed_ns,
      "<key>gpu</key><dict><key>freq_hz</key><real>338</real><key>idle_ratio</key>"
      "<real>0.75</real></dict>\n<key>thermal_pressure</key><string>Moderate</string>");
}

/// The two programs in a directory of their own. powermetrics runs the test's lines in a shell,
/// with these commands:
///   sample         writes one document and its NUL
///   steady         writes one every 50 ms, for ever
///   $dir           the directory; its file `calls` has a line for each start
class FakePowermetrics {
 public:
  explicit FakePowermetrics(std::string_view script, std::string_view document = apple_document()) {
    write_program("sudo", "[ \"$1\" = -n ] || exit 64\nshift\nexec \"$@\"\n");
    set_document(document);
    set_script(script);
  }

  void set_document(std::string_view document) const { dir_.write("document", document); }
  void set_script(std::string_view script) const {
    write_program("powermetrics", "dir='" + dir_.path().string() +
                                      "'\n"
                                      "echo \"$*\" >> \"$dir/calls\"\n"
                                      "calls=$(wc -l < \"$dir/calls\")\n"
                                      "sample() { cat \"$dir/document\" && printf '\\0'; }\n"
                                      "steady() { while sample; do sleep 0.05; done; }\n" +
                                      std::string(script) + "\n");
  }
  void set_sudo(std::string_view script) const { write_program("sudo", script); }

  [[nodiscard]] std::vector<std::string> command(std::string interval_ms = "50") const {
    return {(path() / "sudo").string(),
            "-n",
            (path() / "powermetrics").string(),
            "-f",
            "plist",
            "-i",
            std::move(interval_ms),
            "--samplers",
            "cpu_power,gpu_power,thermal"};
  }
  /// How often powermetrics was started.
  [[nodiscard]] int calls() const {
    std::ifstream in(path() / "calls");
    int lines = 0;
    for (std::string line; std::getline(in, line);) {
      ++lines;
    }
    return lines;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return dir_.path(); }

 private:
  void write_program(const std::string& name, std::string_view script) const {
    // Replace the file as a whole, because a shell reads its script piece by piece.
    const auto file = dir_.write(name + ".new", "#!/bin/sh\n" + std::string(script));
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    std::filesystem::rename(file, path() / name);
  }

  TempDir dir_;
};

}  // namespace enprof::testing
