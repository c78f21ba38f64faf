#include "thread_cpu_time.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace enprof::bench {
namespace {

constexpr const char* kTasks = "/proc/self/task";  // Linux

/// Of a file that is gone, as those of a thread that has ended, it reads 0.
double cpu_seconds(const std::filesystem::path& task) {
  double nanoseconds = 0.0;
  std::ifstream(task / "schedstat") >> nanoseconds;  // its first number
  return nanoseconds * 1e-9;
}

template <class Visit>
void for_each_thread(const Visit& visit) {
  std::error_code error;
  for (std::filesystem::directory_iterator task(kTasks, error), end; !error && task != end;
       task.increment(error)) {
    visit(std::stoi(task->path().filename().string()), task->path());
  }
}

}  // namespace

std::set<int> thread_ids() {
  std::set<int> ids;
  for_each_thread([&](int id, const std::filesystem::path&) { ids.insert(id); });
  return ids;
}

std::map<std::string, double> cpu_seconds_of_other_threads(const std::set<int>& left_out) {
  std::map<std::string, double> result;
  for_each_thread([&](int id, const std::filesystem::path& task) {
    if (!left_out.contains(id)) {
      std::string name;
      std::getline(std::ifstream(task / "comm"), name);
      result[name] += cpu_seconds(task);
    }
  });
  return result;
}

}  // namespace enprof::bench
