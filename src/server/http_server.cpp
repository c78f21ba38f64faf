#include "server/http_server.hpp"

#include "base/log.hpp"
#include "server/access_policy.hpp"
#include "server/coroutine.hpp"
#include "server/http_connection.hpp"
#include "server/live_watchers.hpp"
#include "server/rate_limiter.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <fcntl.h>
#include <list>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr Logger kLog{"server"};
constexpr std::size_t kWorkers = 2;

/// Programs that this one starts do not inherit it.
void keep_from_programs(int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

/// Listens, and owns the connections.
class AsioServer final : public HttpServer {
 public:
  AsioServer(Options options, Handler handler, EventHub& hub)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        hub_(hub),
        policy_(options_.host, options_.port, options_.token, options_.allowed_hosts) {}

  ~AsioServer() override {
    workers_.stop();
    quick_worker_.stop();
    workers_.join();
    quick_worker_.join();
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
    protocol_ = endpoint.protocol();
    static_cast<void>(acceptor_.open(endpoint.protocol(), error));
    if (!error) {
      keep_from_programs(acceptor_.native_handle());
      static_cast<void>(acceptor_.native_non_blocking(true, error));
    }
    if (!error) {
      static_cast<void>(acceptor_.set_option(asio::socket_base::reuse_address(true), error));
    }
    if (!error && address.is_v6() && address.is_unspecified()) {
      // "::" is every address, including those of IPv4, whatever the system's default is.
      error_code ignored;
      static_cast<void>(acceptor_.set_option(asio::ip::v6_only(false), ignored));
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
    policy_ = AccessPolicy(options_.host, options_.port, options_.token, options_.allowed_hosts);
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return options_.port; }
  [[nodiscard]] std::size_t watchers() const override { return watchers_.count(); }
  [[nodiscard]] std::size_t subscribers(std::string_view type) const override {
    return watchers_.subscribers(type);
  }
  [[nodiscard]] std::size_t dropped_watchers() const override { return watchers_.dropped(); }
  [[nodiscard]] std::uint64_t dropped_events() const override { return watchers_.dropped_events(); }

  void run() override {
    // The publisher's thread only sets a flag and, at the first event of a burst, posts.
    const auto subscription = hub_.subscribe([this] {
      if (!wake_posted_.exchange(true)) {
        asio::post(context_, [this] {
          wake_posted_.store(false);
          watchers_.wake();
        });
      }
    });
    asio::co_spawn(context_, accept(), asio::detached);
    context_.run();
    hub_.unsubscribe(subscription);
  }

  void stop() override {
    asio::post(context_, [this] {
      if (std::exchange(service_.stopping, true)) {
        return;
      }
      error_code ignored;  // closing it twice is no error
      static_cast<void>(acceptor_.close(ignored));
      idle_.cancel();
      watchers_.stop();
      for (HttpConnection& connection : connections_) {
        connection.stop();
      }
      if (connections_.empty()) {
        context_.stop();
      }
      // Watchers get a close frame and present answers are completed, within this time.
      farewell_.expires_after(std::chrono::seconds{1});
      farewell_.async_wait([this](error_code) { context_.stop(); });
    });
  }

 private:
  using Timer = asio::steady_timer;

  /// The next connection that waits. Asio's own accept would leave it open for a moment to a
  /// program that another thread starts: such a program would keep it.
  [[nodiscard]] error_code take_connection(Tcp::socket& socket) {
#if defined(__linux__)
    const int descriptor = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
#else
    const int descriptor = ::accept(acceptor_.native_handle(), nullptr, nullptr);
#endif
    if (descriptor < 0) {
      return {errno, boost::system::system_category()};
    }
    keep_from_programs(descriptor);
    error_code error;
    static_cast<void>(socket.assign(protocol_, descriptor, error));
    if (error) {
      ::close(descriptor);
    }
    return error;
  }

  asio::awaitable<void> accept() {
    while (!service_.stopping) {
      error_code error;
      co_await acceptor_.async_wait(Tcp::acceptor::wait_read, no_throw(error));
      Tcp::socket socket(context_);
      if (!error && !service_.stopping) {
        error = take_connection(socket);
      }
      if (service_.stopping) {
        co_return;
      }
      if (error == asio::error::would_block || error == asio::error::interrupted ||
          error == asio::error::connection_aborted) {
        continue;  // the client has gone already, or a signal came
      }
      if (error) {  // such as too many open files: the next accept may work
        kLog.warning("A connection could not be accepted: {}", error.message());
        idle_.expires_after(std::chrono::milliseconds{100});
        co_await idle_.async_wait(no_throw(error));
        continue;
      }
      if (connections_.size() >= options_.limits.connections) {
        HttpConnection::turn_away(socket, connections_.size());
        continue;
      }
      const auto place = connections_.emplace(connections_.end(), std::move(socket), service_);
      asio::co_spawn(context_, place->run(), [this, place](const std::exception_ptr& failure) {
        log_failure(failure);
        connections_.erase(place);
        if (connections_.empty() && service_.stopping) {
          context_.stop();
        }
      });
    }
  }

  Options options_;
  Handler handler_;
  EventHub& hub_;
  AccessPolicy policy_;
  AnswerRoom room_{options_.limits.large_answers,
                   options_.limits.large_answer_bytes};  // must outlive the handlers that wait in
                                                         // the context
  asio::io_context context_{1};
  asio::thread_pool workers_{kWorkers};
  asio::thread_pool quick_worker_{1};
  Tcp::acceptor acceptor_{context_};
  Tcp protocol_ = Tcp::v4();
  Timer idle_{context_};
  Timer farewell_{context_};
  std::atomic<bool> wake_posted_{false};
  LiveWatchers watchers_{hub_, options_.limits};
  // What follows is used only on the thread of run().
  RateLimiter limiter_{options_.limits.requests_per_second, options_.limits.request_burst,
                       *options_.clock};
  HttpService service_{.limits = options_.limits,
                       .live_path = options_.live_path,
                       .handler = handler_,
                       .policy = policy_,
                       .limiter = limiter_,
                       .watchers = watchers_,
                       .workers = workers_,
                       .quick_worker = quick_worker_,
                       .quick_paths = options_.quick_paths,
                       .room = room_};
  std::list<HttpConnection> connections_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(const Options& options, Handler handler,
                                                     EventHub& hub) {
  if (options.token.empty() && !AccessPolicy::is_loopback(options.host)) {
    return fail(
        ErrorCode::permission_denied,
        fmt::format("Listening on {} lets other machines on the network connect", options.host),
        "Pass --token TOKEN, which clients must then send, or listen on 127.0.0.1.");
  }
  auto server = std::make_unique<AsioServer>(options, std::move(handler), hub);
  if (auto listening = server->listen(); !listening) {
    return std::unexpected(std::move(listening.error()));
  }
  return server;
}

}  // namespace enprof
