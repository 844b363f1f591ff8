// Before anything is drawn: the theme that was chosen here last; without one the system's.
(() => {
  const chosen = localStorage.getItem('sightline.theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
