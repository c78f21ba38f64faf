// The token of a server that is open to the network. It comes once in the page's address, or is
// typed in, and is kept out of sight for this tab.

const KEY = "enprof-token";

export const token = () => sessionStorage.getItem(KEY);
export const keepToken = (given: string) => sessionStorage.setItem(KEY, given);

export function keepTokenOfAddress() {
  const given = new URLSearchParams(location.search).get("token");
  if (given) {
    keepToken(given);
    history.replaceState(null, "", location.pathname + location.hash);
  }
}
