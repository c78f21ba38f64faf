// Energy windows from a meter of your own, spans from a log of your own: how many joules did each
// step take?

#include <enprof/enprof.hpp>

#include <chrono>
#include <cstdio>
#include <vector>

int main() {
  using std::chrono::milliseconds;
  const auto at = [](int ms) { return enprof::Instant{milliseconds{ms}}; };

  // A meter that gives 10 J every 200 ms, and then 16 J.
  std::vector<enprof::Domain> domains{enprof::domain_from_name("psys")};
  enprof::WindowsByDomain windows(domains.size());
  for (int begin = 0; begin < 1000; begin += 200) {
    windows[0].push_back({.domain = 0,
                          .begin = at(begin),
                          .end = at(begin + 200),
                          .energy = enprof::Joules{begin < 400 ? 10.0 : 16.0}});
  }
  // A request of 1 s: 400 ms of prompt, then two tokens of 300 ms.
  const std::vector<enprof::Span> spans{
      {.begin = at(0), .end = at(1000), .level = enprof::Level::run},
      {.begin = at(0),
       .end = at(400),
       .parent = 0,
       .level = enprof::Level::phase,
       .phase = enprof::Phase::prefill},
      {.begin = at(400),
       .end = at(1000),
       .parent = 0,
       .level = enprof::Level::phase,
       .phase = enprof::Phase::decode},
      {.begin = at(400),
       .end = at(700),
       .parent = 2,
       .token = 0,
       .level = enprof::Level::token,
       .phase = enprof::Phase::decode},
      {.begin = at(700),
       .end = at(1000),
       .parent = 2,
       .token = 1,
       .level = enprof::Level::token,
       .phase = enprof::Phase::decode}};

  const auto energy = enprof::attribute_energy(
      {.domains = domains, .windows = windows, .spans = spans, .classes = {}, .idle_power = {}});
  if (!energy) {
    std::fprintf(stderr, "%s\n", energy.error().message.c_str());
    return 1;
  }
  const char* const names[] = {"request", "prefill", "decode", "token 0", "token 1"};
  for (std::size_t index = 0; index < spans.size(); ++index) {
    const enprof::Figure& figure = energy->spans[index];
    std::printf("%-8s %6.1f J  ± %.1f J\n", names[index], figure.total->value(),
                figure.quality.standard_error ? figure.quality.standard_error->value() : 0.0);
  }
  return 0;
}
