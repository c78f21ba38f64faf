// A server that is open to the network wants its token: it comes once in the page's address and is
// kept for this tab, out of sight.

const KEY = "enprof-token";

export const token = () => sessionStorage.getItem(KEY);

export function keepTokenOfAddress() {
  const given = new URLSearchParams(location.search).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.hash);
  }
}
