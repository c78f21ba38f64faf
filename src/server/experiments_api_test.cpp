#include "server/experiments_api.hpp"

#include "experiment/analysis/analysis_test_support.hpp"
#include "server/http_request.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <string>

namespace enprof {
namespace {

using testing::facts_of;
using ::testing::HasSubstr;

class ExperimentsApiTest : public ::testing::Test {
 protected:
  void SetUp() override { api_.add_routes(router_); }

  void save(const std::string& experiment, const std::string& label, double joules) {
    for (ProfiledRun& run : testing::runs_of(
             {.label = label, .model = facts_of(2, 128), .output_joules = joules, .repeats = 3})) {
      run.run_id = fmt::format("{:016x}", ++count_);
      run.experiment = experiment;
      run.phases.clear();
      const auto saved = store_.save_run(run);
      ASSERT_TRUE(saved) << saved.error().message;
    }
  }
  [[nodiscard]] HttpResponse get(const std::string& target) const {
    HttpRequest request = parse_target(target);
    request.method = "GET";
    return router_.route(request);
  }
  [[nodiscard]] nlohmann::json json_of(const std::string& target) const {
    const HttpResponse response = get(target);
    EXPECT_EQ(response.status, 200) << response.body;
    return nlohmann::json::parse(response.body);
  }

  const testing::TempDir dir_;
  ProfileDatabase store_ = ProfileDatabase::connect(dir_.path() / "profiles.db").value();
  ExperimentsApi api_{store_};
  Router router_;
  int count_ = 0;
};

TEST_F(ExperimentsApiTest, ShowsExperimentsOfAnyName) {
  EXPECT_TRUE(json_of("/api/experiments")["experiments"].empty());
  save("docs/a b", "q8 p512 n128", 1.0);
  save("docs/a b", "q4 p512 n128", 0.5);
  EXPECT_EQ(json_of("/api/experiments")["experiments"][0]["experiment"], "docs/a b");
  const auto analyses = json_of("/api/experiments/analyses?experiment=docs%2Fa%20b");
  EXPECT_EQ(analyses["points"].size(), 2U);
  EXPECT_EQ(analyses["analyses"].size(), 8U);
  const auto trend = json_of("/api/experiments/trend?experiment=docs%2Fa%20b");
  EXPECT_EQ(trend["points"][0]["entries"][0]["experiment"], "docs/a b");
  const HttpResponse page = get("/api/experiments/report?experiment=docs%2Fa%20b");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("<!doctype html>"));
}

TEST_F(ExperimentsApiTest, SaysWhatIsWrong) {
  save("weekly", "a p1 n2", 1.0);
  for (const char* const part : {"analyses", "trend", "report"}) {
    const std::string path = fmt::format("/api/experiments/{}", part);
    EXPECT_EQ(get(path).status, 400);
    EXPECT_EQ(get(path + "?experiment=weekly&estimates=maybe").status, 400);
    EXPECT_EQ(get(path + "?name=weekly").status, 400);
    const HttpResponse unknown = get(path + "?experiment=weekyl");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_THAT(unknown.body, HasSubstr("Did you mean weekly?"));
  }
}

}  // namespace
}  // namespace enprof
