#include "base/inherited_descriptors.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

namespace enprof {
namespace {

TEST(InheritedDescriptors, WhatWasOpenedLaterIsClosedInOtherPrograms) {
  const int before = ::open("/dev/null", O_RDONLY);
  const InheritedDescriptors inherited;
  const int after = ::open("/dev/null", O_RDONLY);
  ASSERT_GE(before, 0);
  ASSERT_GE(after, 0);
  inherited.close_others_on_exec();
  EXPECT_EQ(fcntl(before, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(fcntl(after, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  ::close(before);
  ::close(after);
}

}  // namespace
}  // namespace enprof
