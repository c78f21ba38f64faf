#include "enprof/base/error.hpp"

#include <cerrno>

namespace enprof {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::permission_denied:
      return "permission_denied";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::already_running:
      return "already_running";
    case ErrorCode::not_running:
      return "not_running";
    case ErrorCode::malformed:
      return "malformed";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::io:
      return "io";
    case ErrorCode::process_exited:
      return "process_exited";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

ErrorCode error_code_from_errno(int error_number) noexcept {
  switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::permission_denied;
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
      return ErrorCode::not_found;
    case EAGAIN:
    case EINTR:
    case ETIMEDOUT:
      return ErrorCode::unavailable;
    case EBUSY:
      return ErrorCode::busy;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
      return ErrorCode::invalid_argument;
    case ENOMEM:
    case ENOSPC:
    case EFBIG:
      return ErrorCode::too_large;
    default:
      return ErrorCode::io;
  }
}

}  // namespace enprof
