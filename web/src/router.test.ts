import { describe, expect, it, vi } from "vitest";

vi.stubGlobal("location", { hash: "" });
const { compareHref, experimentHref, parse, runHref } = await import("./router");

describe("the address", () => {
  it("names a view and its runs, whatever their ids are made of", () => {
    for (const id of ["0123abcd", "a/b", "x,y", "100%", "javascript:alert(1)"]) {
      expect(parse(runHref(id))).toMatchObject({ view: "analysis", run: id });
      expect(parse(experimentHref(id))).toMatchObject({ view: "experiments", experiment: id });
      expect(parse(compareHref([id, "b"]))).toMatchObject({ view: "compare", runs: [id, "b"] });
    }
    expect(parse("#/experiments")).toMatchObject({ view: "experiments", experiment: null });
    expect(parse("")).toMatchObject({ view: "live", experiment: null });
  });
  it("is taken as it is where it was cut off or is no address of ours", () => {
    expect(parse("#/run/%E0%A4%A")).toMatchObject({ view: "analysis", run: "%E0%A4%A" });
    expect(parse("#/compare/%,b")).toMatchObject({ view: "compare", runs: ["%", "b"] });
  });
});
