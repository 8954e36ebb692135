// Dark or light, decided before anything is painted: as the reader chose last, or else as the system asks.
//
// The one file that is no module, because modules run after the first paint and the page would flash.

(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("remora-theme");
  } catch {
    // A browser that keeps nothing follows the system.
  }
  if (kept === "dark" || kept === "light") {
    document.documentElement.dataset.theme = kept;
  }
})();
