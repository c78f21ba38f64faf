#include "server/live_watcher.hpp"

#include "base/log.hpp"
#include "base/utf8.hpp"
#include "server/coroutine.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <utility>

namespace enprof {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

constexpr Logger kLog{"server"};
constexpr std::chrono::seconds kHandshake{10};

}  // namespace

LiveWatcher::LiveWatcher(LiveWatchers& watchers, beast::tcp_stream stream, std::uint64_t since,
                         std::uint64_t last)
    : watchers_(watchers),
      socket_(std::move(stream)),
      since_(since),
      last_(last),
      wake_(socket_.get_executor()),
      stall_(socket_.get_executor()) {}

LiveWatcher::~LiveWatcher() = default;

asio::awaitable<void> LiveWatcher::run(WireRequest request) {
  // The WebSocket has its own time-outs; those of the stream below would end it during a silence.
  beast::get_lowest_layer(socket_).expires_never();
  socket_.set_option(websocket::stream_base::timeout{.handshake_timeout = kHandshake,
                                                     .idle_timeout = watchers_.limits().idle,
                                                     .keep_alive_pings = true});
  socket_.set_option(websocket::stream_base::decorator([this](websocket::response_type& answer) {
    answer.set(beast::http::field::server, "enprof");
    answer.set(kSeqHeader, std::to_string(last_));
  }));
  socket_.auto_fragment(false);
  socket_.read_message_max(watchers_.limits().message_bytes);
  error_code error;
  co_await socket_.async_accept(request, no_throw(error));
  if (error) {
    co_return;
  }
  asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->read_messages(); },
      &log_failure);
  co_await send_events();
}

void LiveWatcher::wake() {
  if (!is_pausing_) {
    wake_.cancel();
  }
}

void LiveWatcher::wake_now() { wake_.cancel(); }

asio::awaitable<void> LiveWatcher::read_messages() {
  beast::flat_buffer buffer;
  while (!close_reason_) {
    error_code error;
    co_await socket_.async_read(buffer, no_throw(error));
    if (error) {
      is_gone_ = true;
      break;
    }
    auto filter =
        parse_subscription({static_cast<const char*>(buffer.data().data()), buffer.data().size()});
    buffer.consume(buffer.size());
    if (filter) {
      watchers_.count_types(filter_.types, filter->types);
      filter_ = std::move(*filter);
    } else {
      close_with_reason(websocket::close_code::bad_payload,
                        filter.error().message + ". " + filter.error().hint);
    }
  }
  watchers_.count_types(filter_.types, {});
  filter_.types.clear();
  wake_now();
}

asio::awaitable<void> LiveWatcher::send_events() {
  const HttpLimits& limits = watchers_.limits();
  const auto period = std::chrono::nanoseconds{std::chrono::seconds{1}} /
                      static_cast<int>(limits.frames_per_second);
  int lapses = 0;
  bool is_new = true;
  while (!is_gone_ && !close_reason_) {
    const bool is_last = watchers_.is_stopping();  // checked before reading: the events up to now
                                                   // are still sent
    const auto batch = watchers_.hub().read(since_, limits.events_per_frame);
    const bool was_away = std::exchange(is_new, false);
    if (batch.events.empty() && !batch.is_gap()) {
      if (is_last) {
        close_with_reason(websocket::close_code::going_away, "the server is stopping");
        break;
      }
      co_await sleep(std::chrono::hours{1});  // until woken
      continue;
    }
    // Events that were dropped before the watcher connected are not its fault.
    const std::uint64_t lost = was_away ? 0 : batch.missed;
    watchers_.count_missed(lost);
    lapses = lost > 0 ? lapses + 1 : 0;
    since_ = batch.next - batch.events.size();
    if (lapses > 1) {
      drop("too slow: events were dropped before they could be sent");
      break;
    }
    const bool behind = watchers_.hub().last() - batch.next > limits.events_per_frame;
    const std::string frame = make_frame(batch, filter_, behind || batch.missed > 0);
    const auto next = std::chrono::steady_clock::now() + period;
    if (!frame.empty() && !co_await send(frame)) {
      break;
    }
    since_ = batch.next;
    is_pausing_ = !frame.empty();
    while (is_pausing_ && !is_gone_ && !close_reason_ && !watchers_.is_stopping() &&
           std::chrono::steady_clock::now() < next) {
      co_await sleep(next - std::chrono::steady_clock::now());
    }
    is_pausing_ = false;
  }
  if (!is_gone_) {
    error_code ignored;  // the connection ends in any case
    co_await socket_.async_close(*close_reason_, no_throw(ignored));
  }
}

asio::awaitable<bool> LiveWatcher::send(const std::string& frame) {
  stall_.expires_after(watchers_.limits().stalled);
  stall_.async_wait([self = shared_from_this()](error_code cancelled) {
    if (!cancelled) {
      // A close frame would wait behind the frame that is not read.
      self->drop("too slow: the client did not read a frame");
      self->is_gone_ = true;
      beast::get_lowest_layer(self->socket_).close();
    }
  });
  error_code error;
  co_await socket_.async_write(asio::buffer(frame), no_throw(error));
  stall_.cancel();
  is_gone_ = is_gone_ || error.failed();
  co_return !is_gone_;
}

asio::awaitable<void> LiveWatcher::sleep(std::chrono::nanoseconds duration) {
  error_code woken;
  wake_.expires_after(duration);
  co_await wake_.async_wait(no_throw(woken));
}

void LiveWatcher::close_with_reason(websocket::close_code code, std::string_view why) {
  constexpr std::size_t kLongestReason = 123;  // RFC 6455, 5.5
  std::string_view reason = why.substr(0, kLongestReason);
  reason.remove_suffix(unfinished_utf8(reason));  // a reason must not end within a character
  close_reason_ = websocket::close_reason(code, beast::string_view(reason));
}

void LiveWatcher::drop(const char* reason) {
  close_with_reason(websocket::close_code::try_again_later, reason);
  watchers_.count_dropped();
  watchers_.count_missed(watchers_.hub().last() - since_);
  kLog.warning("A watcher was dropped: {}", reason);
}

}  // namespace enprof
