// A visitor for std::visit, made of lambdas.
#pragma once

namespace enprof {

/// std::visit(Overloaded{[](const A&) { … }, [](const B&) { … }}, variant)
template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace enprof
