#include "enprof/model/model_facts.hpp"

namespace enprof {

std::string ModelFacts::attention() const {
  if (!heads || !kv_heads || *heads < 1 || *kv_heads < 1) {
    return {};
  }
  if (*kv_heads == *heads) {
    return "MHA";
  }
  return *kv_heads == 1 ? "MQA" : "GQA";
}

}  // namespace enprof
