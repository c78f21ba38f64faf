#include "server/live_client.hpp"

#include "base/json_members.hpp"
#include "server/http_request.hpp"
#include "server/live_frame.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using Tcp = asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Response = http::response<http::string_body>;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kLookAround{50};  // how often `stop` is checked
constexpr std::size_t kLargestAnswer = std::size_t{64} << 20U;
constexpr const char* kPrinted = "Pass the URL that `enprof serve` printed.";

/// Runs one operation at a time, and waits for its end.
class Waiter {
 public:
  Waiter(asio::io_context& context, Milliseconds patience, std::stop_token stop)
      : context_(context), patience_(patience), stop_(std::move(stop)) {}

  /// `begin` starts the operation and gets its completion handler; `abort` must end it. Returns the
  /// operation's error; `timed_out`, if it took too long.
  template <class Begin, class Abort>
  error_code wait(const Begin& begin, const Abort& abort) {
    std::optional<error_code> ended;
    begin([&ended](error_code error, auto&&...) { ended = error; });
    const auto deadline = Clock::now() + patience_;
    error_code reason;
    while (!ended) {
      context_.restart();
      context_.run_one_for(kLookAround);
      if (!ended && !reason && (stop_.stop_requested() || Clock::now() >= deadline)) {
        reason = stop_.stop_requested() ? asio::error::operation_aborted : asio::error::timed_out;
        abort();
      }
    }
    return reason ? reason : *ended;
  }

 private:
  asio::io_context& context_;
  Milliseconds patience_;
  const std::stop_token stop_;
};

std::unexpected<Error> cancelled() {
  return fail(ErrorCode::cancelled, "The connection was cancelled");
}

std::unexpected<Error> no_connection(const ServerUrl& url, const std::string& why) {
  return fail(
      ErrorCode::unavailable, fmt::format("Cannot connect to {}: {}", url.text(), why),
      "Start a server there: enprof serve --models-dir DIR. Or pass the URL of a running one: "
      "enprof watch http://HOST:PORT/");
}

/// The error for a connection that could not be made.
std::unexpected<Error> unreachable(const ServerUrl& url, error_code error, Milliseconds patience,
                                   const std::stop_token& stop) {
  if (stop.stop_requested()) {
    return cancelled();
  }
  if (error == asio::error::timed_out || error == beast::error::timeout) {
    return fail(ErrorCode::unavailable,
                fmt::format("{} did not answer within {:g} s", url.text(),
                            std::chrono::duration<double>(patience).count()),
                "Another program may listen there, or a firewall may block it. "
                "Compare the URL with the one that `enprof serve` printed.");
  }
  return no_connection(url, error.message());
}

/// The error for an answer that does not come from enprof.
std::unexpected<Error> not_enprof(const ServerUrl& url, const std::string& what) {
  return fail(ErrorCode::malformed, fmt::format("{} is not an enprof server: {}", url.text(), what),
              kPrinted);
}

std::unexpected<Error> not_http(const ServerUrl& url, error_code error) {
  return not_enprof(url, fmt::format("its answer is not HTTP ({})", error.message()));
}

/// Whether the peer does not speak HTTP, rather than the network having failed.
bool is_not_http(error_code error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream;
}

/// The error for an answer with an unexpected status.
std::unexpected<Error> refusal_of(const LiveClient::Options& options, const Response& response) {
  const std::string url = options.url.text();
  const auto status = response.result_int();
  const bool ours = response[http::field::server] == "enprof";
  const auto problem = nlohmann::json::parse(response.body(), nullptr, false);
  const std::string message = ours ? word_or_empty(problem, "message") : std::string{};
  const std::string hint = word_or_empty(problem, "hint");
  const bool has_message = !message.empty();
  constexpr unsigned kUnauthorized = 401;
  constexpr unsigned kForbidden = 403;
  constexpr unsigned kNotFound = 404;
  constexpr unsigned kTooMany = 429;
  constexpr unsigned kUnavailable = 503;
  if (status == kUnauthorized) {
    return fail(ErrorCode::permission_denied,
                options.token.empty()
                    ? fmt::format("{} wants a token", url)
                    : fmt::format("{} does not accept this token ({})", url, status),
                "Pass the token that `enprof serve` printed when it started: enprof watch URL "
                "--token TOKEN");
  }
  if (has_message) {
    return fail(status == kForbidden                           ? ErrorCode::permission_denied
                : status == kNotFound                          ? ErrorCode::not_found
                : status == kUnavailable || status == kTooMany ? ErrorCode::busy
                                                               : ErrorCode::invalid_argument,
                fmt::format("{} refuses: {}", url, message), hint);
  }
  if (!ours && status == kNotFound) {
    return fail(ErrorCode::not_found, fmt::format("There is no enprof at {} (404)", url), kPrinted);
  }
  return not_enprof(options.url,
                    fmt::format("it answered {} {}", status, std::string(response.reason())));
}

Result<void> connect_stream(beast::tcp_stream& stream, Waiter& waiter,
                            const LiveClient::Options& options, const std::stop_token& stop) {
  const auto found = look_up_within(options.lookup, options.url.host, options.patience, stop);
  if (!found) {
    return found.error().code == ErrorCode::cancelled
               ? cancelled()
               : no_connection(options.url, found.error().message);
  }
  std::vector<Tcp::endpoint> endpoints;
  for (const std::string& address : *found) {
    error_code error;
    const auto parsed = asio::ip::make_address(address, error);
    if (error) {
      return no_connection(options.url, fmt::format("{} is not an address", address));
    }
    endpoints.emplace_back(parsed, options.url.port);
  }
  const error_code error = waiter.wait(
      [&](auto handler) { stream.async_connect(endpoints, handler); }, [&] { stream.close(); });
  return error ? Result<void>(unreachable(options.url, error, options.patience, stop))
               : Result<void>{};
}

class BeastClient final : public LiveClient {
 public:
  BeastClient(Options options, std::stop_token stop)
      : options_(std::move(options)), stop_(std::move(stop)) {}

  Result<void> open() {
    Waiter waiter(context_, options_.patience, stop_);
    beast::tcp_stream& stream = beast::get_lowest_layer(socket_);
    const auto close = [&stream] { stream.close(); };
    if (auto connected = connect_stream(stream, waiter, options_, stop_); !connected) {
      return connected;
    }
    stream.expires_never();  // the WebSocket has its own time-outs
    socket_.set_option(websocket::stream_base::timeout{.handshake_timeout = options_.patience,
                                                       .idle_timeout = 3 * options_.patience,
                                                       .keep_alive_pings = true});
    socket_.set_option(websocket::stream_base::decorator([this](websocket::request_type& request) {
      request.set(http::field::user_agent, "enprof");
      if (!options_.token.empty()) {
        request.set(http::field::authorization, "Bearer " + options_.token);
      }
    }));
    socket_.read_message_max(kLargestAnswer);
    websocket::response_type response;
    const std::string target =
        options_.url.base + "/ws/profiling" +
        (options_.since ? "?since=" + std::to_string(*options_.since) : std::string{});
    error_code error = waiter.wait(
        [&](auto handler) {
          socket_.async_handshake(response, options_.url.authority(), target, handler);
        },
        close);
    if (error == websocket::error::upgrade_declined) {
      return refusal_of(options_, response);
    }
    if (error) {
      return is_not_http(error) ||
                     error.category() ==
                         websocket::make_error_code(websocket::error::closed).category()
                 ? Result<void>(not_http(options_.url, error))
                 : Result<void>(unreachable(options_.url, error, options_.patience, stop_));
    }
    if (const auto said = response.find(kSeqHeader); said != response.end()) {
      last_event_ = parse_since({said->value().data(), said->value().size()}, 0);
    }
    if (!options_.subscription.empty()) {
      error = waiter.wait(
          [&](auto handler) { socket_.async_write(asio::buffer(options_.subscription), handler); },
          close);
      if (error) {
        return unreachable(options_.url, error, options_.patience, stop_);
      }
    }
    return {};
  }

  [[nodiscard]] std::optional<std::uint64_t> last_event() const override { return last_event_; }

  Result<std::optional<std::string>> next(Milliseconds wait) override {
    if (!reading_) {
      reading_ = true;
      ended_.reset();
      socket_.async_read(buffer_, [this](error_code error, std::size_t) { ended_ = error; });
    }
    const auto deadline = Clock::now() + wait;
    while (!ended_ && !stop_.stop_requested()) {
      const auto left = deadline - Clock::now();
      if (left <= Clock::duration::zero()) {
        return std::optional<std::string>{};
      }
      context_.restart();
      context_.run_one_for(std::min<Clock::duration>(left, kLookAround));
    }
    if (!ended_) {
      return cancelled();
    }
    reading_ = false;
    if (*ended_) {
      return lost(*ended_);
    }
    std::string frame = beast::buffers_to_string(buffer_.data());
    buffer_.consume(buffer_.size());
    return frame;
  }

 private:
  [[nodiscard]] std::unexpected<Error> lost(error_code error) const {
    const auto& reason = socket_.reason();
    std::string why = error.message();
    // A reason that the server gave is more useful than how the connection then broke.
    if (reason.code != websocket::close_code::none && !reason.reason.empty()) {
      why = std::string(reason.reason.data(), reason.reason.size());
    } else if (error == beast::error::timeout) {
      why = "it stopped answering";
    } else if (error == asio::error::eof || error == websocket::error::closed) {
      why = "it closed the connection";
    }
    return fail(ErrorCode::unavailable,
                fmt::format("The connection to {} was lost: {}", options_.url.text(), why));
  }

  const Options options_;
  const std::stop_token stop_;
  asio::io_context context_{1};
  websocket::stream<beast::tcp_stream> socket_{context_};
  beast::flat_buffer buffer_;
  std::optional<std::uint64_t> last_event_;
  bool reading_ = false;
  std::optional<error_code> ended_;  // the read's result
};

}  // namespace

Result<std::unique_ptr<LiveClient>> LiveClient::connect(const Options& options,
                                                        const std::stop_token& stop) {
  auto client = std::make_unique<BeastClient>(options, stop);
  if (auto opened = client->open(); !opened) {
    return std::unexpected(std::move(opened.error()));
  }
  return client;
}

Result<std::string> LiveClient::get(const Options& options, std::string_view path,
                                    const std::stop_token& stop) {
  asio::io_context context{1};
  beast::tcp_stream stream(context);
  Waiter waiter(context, options.patience, stop);
  const auto close = [&stream] { stream.close(); };
  if (auto connected = connect_stream(stream, waiter, options, stop); !connected) {
    return std::unexpected(std::move(connected.error()));
  }
  constexpr unsigned kHttp11 = 11;
  const std::string target = options.url.base + std::string(path);
  http::request<http::empty_body> request{http::verb::get, target, kHttp11};
  request.set(http::field::host, options.url.authority());
  request.set(http::field::user_agent, "enprof");
  request.keep_alive(false);
  if (!options.token.empty()) {
    request.set(http::field::authorization, "Bearer " + options.token);
  }
  error_code error =
      waiter.wait([&](auto handler) { http::async_write(stream, request, handler); }, close);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kLargestAnswer);
  if (!error) {
    error = waiter.wait([&](auto handler) { http::async_read(stream, buffer, parser, handler); },
                        close);
  }
  if (error) {
    return is_not_http(error)
               ? Result<std::string>(not_http(options.url, error))
               : Result<std::string>(unreachable(options.url, error, options.patience, stop));
  }
  Response response = parser.release();
  if (response.result() != http::status::ok || response[http::field::server] != "enprof") {
    return refusal_of(options, response);
  }
  return std::move(response.body());
}

Milliseconds reconnect_delay(int failures, double chance) {
  constexpr double kFirst = 500.0;
  constexpr double kLongest = 15'000.0;
  const double bound = std::min(kLongest, kFirst * std::exp2(std::clamp(failures - 1, 0, 30)));
  return Milliseconds{std::llround(bound * (0.5 + 0.5 * std::clamp(chance, 0.0, 1.0)))};
}

}  // namespace enprof
