// A matrix of layers × components.
#pragma once

#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <optional>
#include <string_view>

namespace enprof {

/// See ProfileDatabase::layer_components. The caller holds a transaction. Throws SQLite::Exception.
[[nodiscard]] std::optional<LayerComponentMatrix> read_layer_components(SQLite::Database& database,
                                                                        std::string_view run_id,
                                                                        std::optional<Phase> phase);

}  // namespace enprof
