// Formats the pages of --help.
#pragma once

#include <CLI/CLI.hpp>

#include <cstddef>
#include <string>

namespace enprof {

/// Shows options with their arguments, allowed values and defaults, in lines that fit the terminal.
class HelpFormatter final : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::size_t columns);

  [[nodiscard]] std::string make_description(const CLI::App* app) const override;
  [[nodiscard]] std::string make_usage(const CLI::App* app, std::string name) const override;
  [[nodiscard]] std::string make_help(const CLI::App* app, std::string name,
                                      CLI::AppFormatMode mode) const override;
  [[nodiscard]] std::string make_option(const CLI::Option* option,
                                        bool is_positional) const override;
  [[nodiscard]] std::string make_subcommand(const CLI::App* command) const override;
  [[nodiscard]] std::string make_footer(const CLI::App* app) const override;

 private:
  /// A name with its description, beside it or below it.
  [[nodiscard]] std::string entry(const std::string& name, const std::string& text) const;

  std::size_t columns_;
};

}  // namespace enprof
