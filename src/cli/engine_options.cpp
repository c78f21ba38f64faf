#include "cli/engine_options.hpp"

#include "cli/option_values.hpp"
#include "engines/registry/engine_registry.hpp"

namespace enprof {

void EngineOptions::declare(CLI::App& app, const std::string& group) {
  for (const Engine* engine : engines()) {
    for (const EngineSetting& setting : engine->settings()) {
      chosen_.push_back({.setting = &setting, .value = setting.usual});
    }
  }
  for (Chosen& chosen : chosen_) {
    const EngineSetting& setting = *chosen.setting;
    const std::string flags{setting.flags};
    const std::string help{setting.help};
    if (setting.is_flag) {
      app.add_flag(flags, chosen.is_given, help)->group(group);
    } else {
      app.add_option(flags, chosen.value, help)
          ->type_name("N")
          ->transform(whole_number(setting.least, setting.most))
          ->capture_default_str()
          ->group(group);
    }
  }
}

EngineSettings EngineOptions::values() const {
  EngineSettings result;
  for (const Chosen& chosen : chosen_) {
    const EngineSetting& setting = *chosen.setting;
    result[std::string{setting.name}] =
        !chosen.is_given ? chosen.value
                         : (setting.usual == setting.least ? setting.most : setting.least);
  }
  return result;
}

}  // namespace enprof
