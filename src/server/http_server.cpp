#include "server/http_server.hpp"

#include "base/log.hpp"
#include "server/http_request.hpp"
#include "server/live_frame.hpp"
#include "server/problem.hpp"
#include "server/rate_limiter.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using Tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr Logger kLog{"server"};
constexpr std::size_t kWorkers = 2;
/// How long a refused client may go on sending.
constexpr std::chrono::seconds kLinger{1};

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

class Watcher;

/// Completes `co_await` with an error code in `error` instead of throwing.
auto no_throw(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

HttpRequest plain(const Request& request) {
  HttpRequest result = parse_target({request.target().data(), request.target().size()});
  result.method = std::string(request.method_string());
  for (const auto& field : request) {
    const auto name = field.name_string();
    result.headers[lower_case({name.data(), name.size()})] = std::string(field.value());
  }
  result.body = request.body();
  return result;
}

/// All of a message but its body.
template <class Body>
http::response<Body> head_of(const HttpResponse& plain_response, const Request& request) {
  http::response<Body> response{static_cast<http::status>(plain_response.status),
                                request.version()};
  response.set(http::field::server, "enprof");
  response.set(http::field::content_type, plain_response.content_type);
  // No page of ours loads anything from elsewhere, nor may another frame it.
  response.set("Content-Security-Policy",
               "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
               "connect-src 'self' ws:; frame-ancestors 'none'; base-uri 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set(http::field::cache_control, "no-store");
  for (const auto& [name, value] : plain_response.headers) {
    response.set(name, value);
  }
  response.keep_alive(request.keep_alive());
  return response;
}

Response wire(HttpResponse&& plain_response, const Request& request) {
  auto response = head_of<http::string_body>(plain_response, request);
  response.body() = std::move(plain_response.body);
  response.prepare_payload();
  if (request.method() == http::verb::head) {
    response.body().clear();  // the length stays as it would be
  }
  return response;
}

using FileResponse = http::response<http::file_body>;

FileResponse wire_file(HttpResponse&& plain_response, const Request& request, error_code& error) {
  auto response = head_of<http::file_body>(plain_response, request);
  beast::file file;
  file.native_handle(plain_response.file->release());
  response.body().reset(std::move(file), error);
  response.prepare_payload();
  return response;
}

class BeastServer final : public HttpServer {
 public:
  BeastServer(Options options, Handler handler, EventHub& hub)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        hub_(hub),
        policy_(options_.host, options_.port, options_.token) {}

  ~BeastServer() override {
    workers_.stop();
    workers_.join();
  }

  Result<void> listen() {
    error_code error;
    const auto address = asio::ip::make_address(
        options_.host == "localhost" ? std::string{"127.0.0.1"} : options_.host, error);
    if (error) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("'{}' is not an address of this machine", options_.host),
                  "Pass --host 127.0.0.1, or the address of one of its network interfaces.");
    }
    const Tcp::endpoint endpoint(address, options_.port);
    static_cast<void>(acceptor_.open(endpoint.protocol(), error));
    if (!error) {
      static_cast<void>(acceptor_.set_option(asio::socket_base::reuse_address(true), error));
    }
    if (!error) {
      static_cast<void>(acceptor_.bind(endpoint, error));
    }
    if (!error) {
      static_cast<void>(acceptor_.listen(asio::socket_base::max_listen_connections, error));
    }
    if (error) {
      const bool taken = error == asio::error::address_in_use;
      return fail(taken ? ErrorCode::busy : error_code_from_errno(error.value()),
                  fmt::format("Cannot listen on {} port {}: {}", options_.host, options_.port,
                              error.message()),
                  taken ? "Another program has it; pass another one: --port 8001"
                        : "Pass another address or port: --host, --port");
    }
    options_.port = acceptor_.local_endpoint().port();
    policy_ = AccessPolicy(options_.host, options_.port, options_.token);
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return options_.port; }
  [[nodiscard]] std::size_t watchers() const override { return watcher_count_.load(); }
  [[nodiscard]] std::size_t dropped_watchers() const override { return dropped_.load(); }
  [[nodiscard]] std::uint64_t dropped_events() const override { return dropped_events_.load(); }
  [[nodiscard]] std::size_t subscribers(std::string_view type) const override {
    const std::lock_guard lock(types_mutex_);
    const auto found = types_.find(type);
    return found == types_.end() ? 0 : found->second;
  }

  void run() override {
    // The publisher's thread only raises a flag and, at the first event of a burst, posts.
    const auto subscription = hub_.subscribe([this] {
      if (!pump_posted_.exchange(true)) {
        asio::post(context_, [this] { pump(); });
      }
    });
    asio::co_spawn(context_, accept(), asio::detached);
    context_.run();
    hub_.unsubscribe(subscription);
  }

  void stop() override {
    asio::post(context_, [this] {
      if (std::exchange(stopping_, true)) {
        return;
      }
      error_code ignored;  // closing what is closed already is no failure
      static_cast<void>(acceptor_.close(ignored));
      idle_.cancel();
      pump();
      for (beast::tcp_stream* stream : asking_) {
        stream->cancel();
      }
      if (connections_ == 0) {
        context_.stop();
      }
      // Watchers say goodbye, answers under way are sent; whoever takes longer is left.
      farewell_.expires_after(std::chrono::seconds{1});
      farewell_.async_wait([this](error_code) { context_.stop(); });
    });
  }

 private:
  friend class Watcher;
  using Timer = asio::steady_timer;

  asio::awaitable<void> accept() {
    while (!stopping_) {
      error_code error;
      Tcp::socket socket = co_await acceptor_.async_accept(no_throw(error));
      if (stopping_) {
        co_return;
      }
      if (error) {  // too many open files, say: the next may do
        kLog.warning("A connection could not be accepted: {}", error.message());
        idle_.expires_after(std::chrono::milliseconds{100});
        co_await idle_.async_wait(no_throw(error));
        continue;
      }
      if (connections_ >= options_.limits.connections) {
        turn_away(socket);
        continue;
      }
      asio::co_spawn(context_, serve(beast::tcp_stream(std::move(socket))),
                     [this](const std::exception_ptr& failure) {
                       log_failure(failure);
                       if (--connections_ == 0 && stopping_) {
                         context_.stop();
                       }
                     });
      ++connections_;
    }
  }

  /// Says why, if the client's buffer takes it at once, and closes: more it does not get.
  void turn_away(Tcp::socket& socket) const {
    Request nothing;
    nothing.version(11);
    nothing.keep_alive(false);
    HttpResponse response = problem(
        503, {ErrorCode::busy, fmt::format("There are {} connections already", connections_),
              "Close some of them, and try again."});
    response.headers.emplace_back("Retry-After", "1");
    Response message = wire(std::move(response), nothing);
    error_code ignored;  // it is closed in any case
    static_cast<void>(socket.non_blocking(true, ignored));
    http::write(socket, message, ignored);
    static_cast<void>(socket.shutdown(Tcp::socket::shutdown_send, ignored));
  }

  static void log_failure(const std::exception_ptr& failure) {
    try {
      if (failure) {
        std::rethrow_exception(failure);
      }
    } catch (const std::exception& error) {
      kLog.error("A connection failed: {}", error.what());
    }
  }

  asio::awaitable<void> serve(beast::tcp_stream stream) {
    error_code ignored;
    // Without it, it is slower and otherwise as good.
    static_cast<void>(stream.socket().set_option(Tcp::no_delay(true), ignored));
    const auto peer = stream.socket().remote_endpoint(ignored);
    const std::string client = ignored ? std::string{} : peer.address().to_string();
    beast::flat_buffer buffer;
    while (!stopping_) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(options_.limits.body_bytes);
      parser.header_limit(options_.limits.header_bytes);
      stream.expires_after(options_.limits.idle);
      error_code error;
      const auto place = asking_.insert(asking_.end(), &stream);
      co_await http::async_read(stream, buffer, parser, no_throw(error));
      asking_.erase(place);
      if (error) {
        co_await refuse(stream, error);
        break;
      }
      Request request = parser.release();
      if (const auto wait = limiter_.take(client)) {
        if (!co_await send(stream, too_often(*wait, request))) {
          break;
        }
        continue;
      }
      if (websocket::is_upgrade(request)) {
        co_await watch(std::move(stream), std::move(request));
        co_return;
      }
      HttpRequest asked = plain(request);
      HttpResponse answered = co_await answer(asked);
      const bool goes_on = answered.file
                               ? co_await send_file(stream, std::move(answered), request)
                               : co_await send(stream, wire(std::move(answered), request));
      if (!goes_on) {
        break;
      }
    }
    static_cast<void>(stream.socket().shutdown(Tcp::socket::shutdown_send, ignored));
  }

  [[nodiscard]] Response too_often(Nanoseconds wait, const Request& request) const {
    HttpResponse response = problem(
        429, {ErrorCode::busy,
              fmt::format("More than {:g} requests a second", options_.limits.requests_per_second),
              "Wait as long as Retry-After says; to follow a run, watch /ws/profiling."});
    response.headers.emplace_back(
        "Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()));
    return wire(std::move(response), request);
  }

  /// False where the connection is of no more use.
  asio::awaitable<bool> send(beast::tcp_stream& stream, Response response) {
    error_code error;
    stream.expires_after(options_.limits.idle);
    co_await http::async_write(stream, response, no_throw(error));
    co_return !error && !response.need_eof();
  }

  /// As much as the client takes at a time: the rest stays on the disk.
  asio::awaitable<bool> send_file(beast::tcp_stream& stream, HttpResponse answered,
                                  const Request& request) {
    error_code error;
    FileResponse response = wire_file(std::move(answered), request, error);
    http::response_serializer<http::file_body> serializer{response};
    if (!error && request.method() == http::verb::head) {
      co_await http::async_write_header(stream, serializer, no_throw(error));
    }
    while (!error && request.method() != http::verb::head && !serializer.is_done()) {
      stream.expires_after(options_.limits.idle);  // of each piece: a large file may take longer
      co_await http::async_write_some(stream, serializer, no_throw(error));
    }
    co_return !error && !response.need_eof();
  }

  /// Answers a request that could not be read, where it is the client's doing.
  asio::awaitable<void> refuse(beast::tcp_stream& stream, error_code reason) {
    HttpResponse response;
    if (reason == http::error::body_limit) {
      response = problem(413, {ErrorCode::too_large, "The request's body is too large", ""});
    } else if (reason == http::error::header_limit || reason == http::error::buffer_overflow) {
      response = problem(431, {ErrorCode::too_large, "The request's headers are too large", ""});
    } else if (reason.category() == http::make_error_code(http::error::bad_method).category() &&
               reason != http::error::end_of_stream && reason != http::error::partial_message) {
      response = problem(400, {ErrorCode::malformed, "This is not HTTP: " + reason.message(), ""});
    } else {
      co_return;  // it went away, or said nothing in time
    }
    Request nothing;
    nothing.version(11);
    nothing.keep_alive(false);
    Response message = wire(std::move(response), nothing);
    error_code ignored;  // it was going to be closed in any case
    stream.expires_after(options_.limits.stalled);
    co_await http::async_write(stream, message, no_throw(ignored));
    // To close amid what is still being sent would take the answer from the client, too.
    static_cast<void>(stream.socket().shutdown(Tcp::socket::shutdown_send, ignored));
    stream.expires_after(kLinger);
    std::array<char, 16'384> unread{};
    while (!ignored) {
      co_await stream.async_read_some(asio::buffer(unread), no_throw(ignored));
    }
  }

  /// Runs the handler on a worker, and comes back. The request outlives the call. What is passed to
  /// co_spawn has a name: g++ 12 destroys some temporaries of a co_await twice
  /// (gcc.gnu.org/PR99576).
  asio::awaitable<HttpResponse> answer(const HttpRequest& request) {
    if (const auto allowed = policy_.check(request); !allowed) {
      co_return problem(403, allowed.error());
    }
    HttpResponse response;
    const auto work = [this, &request, &response]() -> asio::awaitable<void> {
      response = handle(request);
      co_return;
    };
    co_await asio::co_spawn(workers_, work, asio::use_awaitable);
    co_return response;
  }

  HttpResponse handle(const HttpRequest& request) const {
    try {
      return handler_(request);
    } catch (const std::exception& error) {
      kLog.error("{} {} failed: {}", request.method, request.path, error.what());
    }
    return problem(500,
                   {ErrorCode::internal, "The server failed at this request", "Its log says why."});
  }

  using Types = std::set<std::string, std::less<>>;
  /// A watcher asks for other types than before.
  void count_types(const Types& before, const Types& now) {
    const std::lock_guard lock(types_mutex_);
    for (const std::string& type : now) {
      ++types_[type];
    }
    for (const std::string& type : before) {
      if (--types_[type] == 0) {
        types_.erase(type);
      }
    }
  }

  asio::awaitable<void> watch(beast::tcp_stream stream, Request request);
  void pump();

  Options options_;
  Handler handler_;
  EventHub& hub_;
  AccessPolicy policy_;
  asio::io_context context_{1};
  asio::thread_pool workers_{kWorkers};
  Tcp::acceptor acceptor_{context_};
  Timer idle_{context_};
  Timer farewell_{context_};
  // On the thread of run(), as what follows up to the atomics.
  RateLimiter limiter_{options_.limits.requests_per_second, options_.limits.request_burst,
                       monotonic_clock()};
  bool stopping_ = false;
  std::size_t connections_ = 0;
  std::list<beast::tcp_stream*> asking_;  // connections that have not sent their next request yet
  std::list<Watcher*> watching_;          // each for as long as its coroutine runs
  std::atomic<std::size_t> watcher_count_{0};
  std::atomic<std::size_t> dropped_{0};
  std::atomic<std::uint64_t> dropped_events_{0};
  std::atomic<bool> pump_posted_{false};
  mutable std::mutex types_mutex_;
  std::map<std::string, std::size_t, std::less<>> types_;  // of events: how many asked for it
};

/// One WebSocket. Two coroutines: one hears what the client says, one tells it what there is.
/// Shared by both, and by its timers' handlers, which may come after either has ended.
class Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(BeastServer& server, beast::tcp_stream stream, std::uint64_t since, std::uint64_t last)
      : server_(server),
        socket_(std::move(stream)),
        since_(since),
        last_(last),
        wake_(socket_.get_executor()),
        stall_(socket_.get_executor()) {}

  asio::awaitable<void> run(Request request) {
    // The WebSocket has its own time-outs; those of the stream below would end it amid a silence.
    beast::get_lowest_layer(socket_).expires_never();
    socket_.set_option(websocket::stream_base::timeout{.handshake_timeout = kHandshake,
                                                       .idle_timeout = server_.options_.limits.idle,
                                                       .keep_alive_pings = true});
    socket_.set_option(websocket::stream_base::decorator([this](websocket::response_type& answer) {
      answer.set(kSeqHeader, std::to_string(last_));
    }));
    socket_.auto_fragment(false);
    socket_.read_message_max(server_.options_.limits.message_bytes);
    error_code error;
    co_await socket_.async_accept(request, no_throw(error));
    if (error) {
      co_return;
    }
    asio::co_spawn(
        socket_.get_executor(), [self = shared_from_this()] { return self->hear(); },
        [](const std::exception_ptr& failure) { BeastServer::log_failure(failure); });
    co_await tell();
  }

  /// There is something to tell. One that has just been told is left to its pause.
  void wake() {
    if (!pausing_) {
      wake_.cancel();
    }
  }
  /// It has to end.
  void wake_now() { wake_.cancel(); }

 private:
  static constexpr std::chrono::seconds kHandshake{10};

  asio::awaitable<void> hear() {
    beast::flat_buffer buffer;
    while (!goodbye_) {
      error_code error;
      co_await socket_.async_read(buffer, no_throw(error));
      if (error) {
        gone_ = true;
        break;
      }
      auto filter = parse_subscription(
          {static_cast<const char*>(buffer.data().data()), buffer.data().size()});
      buffer.consume(buffer.size());
      if (filter) {
        server_.count_types(filter_.types, filter->types);
        filter_ = std::move(*filter);
      } else {
        say_goodbye(websocket::close_code::bad_payload, filter.error().message);
      }
    }
    server_.count_types(filter_.types, {});
    filter_.types.clear();
    wake_now();
  }

  asio::awaitable<void> tell() {
    const HttpLimits& limits = server_.options_.limits;
    const auto period = std::chrono::nanoseconds{std::chrono::seconds{1}} /
                        static_cast<int>(limits.frames_per_second);
    int lapses = 0;
    while (!gone_ && !goodbye_) {
      if (server_.stopping_) {
        say_goodbye(websocket::close_code::going_away, "the server is stopping");
        break;
      }
      const auto batch = server_.hub_.read(since_, limits.events_per_frame);
      if (batch.events.empty() && !batch.is_gap()) {
        co_await sleep(std::chrono::hours{1});  // until woken
        continue;
      }
      server_.dropped_events_ += batch.missed;
      lapses = batch.missed > 0 ? lapses + 1 : 0;
      if (lapses > 1) {
        drop("too slow: events were forgotten before they could be sent");
        break;
      }
      const bool behind = server_.hub_.last() - batch.next > limits.events_per_frame;
      const std::string frame = make_frame(batch, filter_, behind || batch.missed > 0);
      since_ = batch.next;
      if (frame.empty()) {
        continue;
      }
      const auto next = std::chrono::steady_clock::now() + period;
      if (!co_await send(frame)) {
        break;
      }
      pausing_ = true;
      while (!gone_ && !goodbye_ && !behind && !server_.stopping_ &&
             std::chrono::steady_clock::now() < next) {
        co_await sleep(next - std::chrono::steady_clock::now());
      }
      pausing_ = false;
    }
    if (!gone_) {
      error_code ignored;  // the connection ends here in any case
      co_await socket_.async_close(*goodbye_, no_throw(ignored));
    }
  }

  /// False where the client is gone, or was dropped because it does not take the frame.
  asio::awaitable<bool> send(const std::string& frame) {
    stall_.expires_after(server_.options_.limits.stalled);
    stall_.async_wait([self = shared_from_this()](error_code cancelled) {
      if (!cancelled) {
        // A close frame would wait behind the frame that is not taken.
        self->drop("too slow: a frame was not taken");
        self->gone_ = true;
        beast::get_lowest_layer(self->socket_).close();
      }
    });
    error_code error;
    co_await socket_.async_write(asio::buffer(frame), no_throw(error));
    stall_.cancel();
    gone_ = gone_ || error.failed();
    co_return !gone_;
  }

  asio::awaitable<void> sleep(std::chrono::nanoseconds duration) {
    error_code woken;
    wake_.expires_after(duration);
    co_await wake_.async_wait(no_throw(woken));
  }

  void say_goodbye(websocket::close_code code, std::string_view why) {
    constexpr std::size_t kLongestReason = 123;  // RFC 6455, 5.5
    goodbye_ = websocket::close_reason(code, beast::string_view(why.substr(0, kLongestReason)));
  }

  void drop(const char* reason) {
    say_goodbye(websocket::close_code::try_again_later, reason);
    ++server_.dropped_;
    server_.dropped_events_ += server_.hub_.last() - since_;
    kLog.warning("A watcher was dropped: {}", reason);
  }

  BeastServer& server_;
  websocket::stream<beast::tcp_stream> socket_;
  std::uint64_t since_;
  const std::uint64_t last_;  // number of the latest event when the connection was made
  LiveFilter filter_;
  asio::steady_timer wake_;
  asio::steady_timer stall_;
  std::optional<websocket::close_reason> goodbye_;
  bool gone_ = false;
  bool pausing_ = false;  // between two frames
};

asio::awaitable<void> BeastServer::watch(beast::tcp_stream stream, Request request) {
  const HttpRequest asked = plain(request);
  HttpResponse refusal;
  const std::uint64_t last = hub_.last();
  std::optional<std::uint64_t> since;
  if (const auto allowed = policy_.check(asked); !allowed) {
    refusal = problem(403, allowed.error());
  } else if (asked.path != options_.live_path) {
    refusal = problem(404, {ErrorCode::not_found, "There is no WebSocket at " + asked.path,
                            "Connect to " + options_.live_path});
  } else if (watching_.size() >= options_.limits.watchers) {
    refusal = problem(
        503, {ErrorCode::busy, fmt::format("There are {} watchers already", watching_.size()),
              "Close one of them, and try again."});
  } else if (since = parse_since(asked.parameter("since"), last); !since) {
    refusal = problem(
        400, {ErrorCode::invalid_argument,
              "since is not the number of an event: " + std::string(asked.parameter("since")),
              "Pass the seq of the last event that was seen, or leave it out."});
  }
  if (!since) {
    Response response = wire(std::move(refusal), request);
    error_code ignored;  // it was going to be closed in any case
    co_await http::async_write(stream, response, no_throw(ignored));
    co_return;
  }
  const auto watcher = std::make_shared<Watcher>(*this, std::move(stream), *since, last);
  const auto place = watching_.insert(watching_.end(), watcher.get());
  ++watcher_count_;
  co_await watcher->run(std::move(request));
  --watcher_count_;
  watching_.erase(place);
}

void BeastServer::pump() {
  pump_posted_.store(false);
  for (Watcher* watcher : watching_) {
    if (stopping_) {
      watcher->wake_now();
    } else {
      watcher->wake();
    }
  }
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(const Options& options, Handler handler,
                                                     EventHub& hub) {
  if (options.token.empty() && !AccessPolicy::is_loopback(options.host)) {
    return fail(ErrorCode::permission_denied,
                fmt::format("Listening on {} lets others on the network in", options.host),
                "Pass --token TOKEN, which clients must then send; or listen on 127.0.0.1.");
  }
  auto server = std::make_unique<BeastServer>(options, std::move(handler), hub);
  if (auto listening = server->listen(); !listening) {
    return std::unexpected(std::move(listening.error()));
  }
  return server;
}

}  // namespace enprof
