// A program that uses the fake llama.cpp (fake_llama.h), as its words say, one after the other:
//
//   open FILE        opens the library by dlopen, and finds its functions by dlsym
//   close            closes it
//   model FILE       loads a model
//   context          makes a context; the following ones use the newest
//   own-abort, own-eval, gpu, throw N      properties of the next context
//   decode N, encode N                     a pass of N tokens of sequence 0: 100, 101, …
//   batch            one of two sequences: 3 tokens of the first from position 10, 1 of the second
//   remove N         removes what is beyond this position from the cache
//   free             frees the newest context
//   thread N         four threads with a context each, N passes in each
//   fork             a child does the rest, and the parent returns what it returns
//   spin N           N passes of one token; prints how many nanoseconds one took
//   clock            prints how many nanoseconds a reading of the clock takes
//   descriptors      closes all descriptors but the standard ones
//   kill             ends by SIGKILL
//   aborts N, evals N, caught N   ends with 4 unless its own callbacks, or it, saw so many
//
// Ends with 5 if a pass failed.
#include "support/fake_llama.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

std::atomic<long> aborts{0};
long evals = 0;
long results = 0;
long caught = 0;

struct Functions {
  decltype(&llama_model_load_from_file) load_model = nullptr;
  decltype(&llama_init_from_model) init = nullptr;
  decltype(&llama_free) free_context = nullptr;
  decltype(&llama_batch_get_one) get_one = nullptr;
  decltype(&llama_decode) decode = nullptr;
  decltype(&llama_encode) encode = nullptr;
  decltype(&llama_get_memory) get_memory = nullptr;
  decltype(&llama_memory_seq_rm) remove = nullptr;
};

bool on_abort(void* data) {
  aborts += *static_cast<int*>(data);
  return false;
}
bool on_eval(FakeTensor*, bool ask, void*) {
  evals += ask ? 1 : 0;
  return ask ? evals % 3 == 0 : true;
}
void fail() { throw std::runtime_error("as asked"); }

class User {
 public:
  User() {
    std::int32_t next = 100;
    for (std::int32_t& token : tokens_) {
      token = next++;
    }
  }

  void run(const std::vector<std::string>& words) {
    for (std::size_t at = 0; at < words.size(); ++at) {
      const std::string& word = words[at];
      const auto next = [&] { return words.at(++at); };
      if (word == "open") {
        open(next());
      } else if (word == "close") {
        dlclose(library_);
        calls_ = {};
      } else if (word == "model") {
        model_ = calls_.load_model(next().c_str(), {});
      } else if (word == "context") {
        contexts_.push_back(calls_.init(model_, params_));
        params_ = defaults();
      } else if (word == "own-abort") {
        static int one = 1;
        params_.abort = on_abort;
        params_.abort_data = &one;
      } else if (word == "own-eval") {
        params_.cb_eval = on_eval;
      } else if (word == "gpu") {
        params_.on_gpu = true;
      } else if (word == "throw") {
        params_.throw_at = static_cast<std::uint32_t>(std::stoul(next()));
        params_.fail = fail;
      } else if (word == "decode") {
        decode(contexts_.back(), std::stoi(next()));
      } else if (word == "encode") {
        results += calls_.encode(contexts_.back(), calls_.get_one(tokens_, std::stoi(next())));
      } else if (word == "batch") {
        decode_two();
      } else if (word == "remove") {
        calls_.remove(calls_.get_memory(contexts_.back()), 0, std::stoi(next()), -1);
      } else if (word == "free") {
        calls_.free_context(contexts_.back());
        contexts_.pop_back();
      } else if (word == "thread") {
        run_threads(std::stoi(next()));
      } else if (word == "fork") {
        if (const pid_t child = ::fork(); child != 0) {
          int status = 0;
          waitpid(child, &status, 0);
          std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
        }
      } else if (word == "spin") {
        spin(std::stoi(next()));
      } else if (word == "clock") {
        time_clock();
      } else if (word == "descriptors") {
        closefrom(3);
      } else if (word == "aborts") {
        expect(aborts, next());
      } else if (word == "evals") {
        expect(evals, next());
      } else if (word == "caught") {
        expect(caught, next());
      } else if (word == "kill") {
        std::raise(SIGKILL);
      } else {
        std::fprintf(stderr, "no such word: %s\n", word.c_str());
        std::exit(2);
      }
    }
  }

 private:
  static FakeContextParams defaults() {
    FakeContextParams params{};
    params.n_ctx = 512;
    return params;
  }
  static void expect(long count, const std::string& wanted) {
    if (count != std::stol(wanted)) {
      std::fprintf(stderr, "%ld instead of %s\n", count, wanted.c_str());
      std::exit(4);
    }
  }
  template <class Function>
  void find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
    if (function == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      std::exit(3);
    }
  }
  void open(const std::string& file) {
    library_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      std::exit(3);
    }
    find(calls_.load_model, "llama_model_load_from_file");
    find(calls_.init, "llama_init_from_model");
    find(calls_.free_context, "llama_free");
    find(calls_.get_one, "llama_batch_get_one");
    find(calls_.decode, "llama_decode");
    find(calls_.encode, "llama_encode");
    find(calls_.get_memory, "llama_get_memory");
    find(calls_.remove, "llama_memory_seq_rm");
  }
  void decode(FakeContext* context, int count) {
    try {
      results += calls_.decode(context, calls_.get_one(tokens_, count));
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  void decode_two() {
    static std::int32_t positions[] = {10, 11, 12, 70};
    static std::int32_t counts[] = {1, 1, 1, 1};
    static std::int32_t first = 3;
    static std::int32_t second = 7;
    static std::int32_t* ids[] = {&first, &first, &first, &second};
    static std::int8_t wanted[] = {0, 0, 1, 1};
    FakeBatch batch = calls_.get_one(tokens_, 4);
    batch.pos = positions;
    batch.n_seq_id = counts;
    batch.seq_id = ids;
    batch.logits = wanted;
    results += calls_.decode(contexts_.back(), batch);
  }
  void spin(int passes) {
    const auto begin = std::chrono::steady_clock::now();
    for (int pass = 0; pass < passes; ++pass) {
      decode(contexts_.back(), 1);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f\n", took.count() / passes);
  }
  static void time_clock() {
    constexpr int kReads = 100'000;
    const auto begin = std::chrono::steady_clock::now();
    auto end = begin;
    for (int read = 0; read < kReads; ++read) {
      end = std::chrono::steady_clock::now();
    }
    std::printf("%.1f\n", std::chrono::duration<double, std::nano>(end - begin).count() / kReads);
  }
  void run_threads(int passes) {
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
      threads.emplace_back([this, passes] {
        FakeContext* const context = calls_.init(model_, defaults());
        for (int pass = 0; pass < passes; ++pass) {
          decode(context, 1);
        }
        calls_.free_context(context);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  void* library_ = nullptr;
#ifdef USER_OPENS_LATE
  Functions calls_;
#else
  Functions calls_{llama_model_load_from_file, llama_init_from_model, llama_free,
                   llama_batch_get_one,        llama_decode,          llama_encode,
                   llama_get_memory,           llama_memory_seq_rm};
#endif
  FakeModel* model_ = nullptr;
  std::vector<FakeContext*> contexts_;
  FakeContextParams params_ = defaults();
  std::int32_t tokens_[512] = {};
};

}  // namespace

int main(int count, char** words) {
  User().run({words + 1, words + count});
  return results == 0 ? 0 : 5;
}
