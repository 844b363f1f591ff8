// Inside the frame that draws plots: an origin of its own that can ask nobody for anything.
// It gets figures from the page around it and tells how tall it has become.
(() => {
  /* global Plotly */
  const place = document.getElementById('plots');
  const figures = new Map();
  let dark = location.hash === '#dark';
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';

  const watcher = new IntersectionObserver((entries) => {
    for (const {isIntersecting, target} of entries) if (isIntersecting) draw(target.dataset.id);
  });
  new ResizeObserver(tell).observe(document.body);

  addEventListener('message', ({source, data}) => {
    if (source !== parent || !data || data.kind !== 'plots') return;
    if (dark !== data.dark) for (const plot of figures.values()) plot.drawn = false;
    dark = data.dark;
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    const old = new Map(figures);
    figures.clear();
    for (const plot of data.plots) {
      const known = old.get(plot.id);
      const same = known && known.text === plot.text;
      figures.set(plot.id, same ? known : {...plot, section: known?.section ?? section(plot), drawn: false});
      old.delete(plot.id);
    }
    for (const {section: gone} of old.values()) gone.remove();
    for (const [id, plot] of figures) {
      plot.section.querySelector('small').textContent = plot.note;
      place.append(plot.section);
      if (plot.drawn || !plot.section.dataset.seen) watcher.observe(plot.section);
      else draw(id);
    }
    tell();
  });

  function section(plot) {
    const made = document.createElement('section');
    const title = document.createElement('h2');
    const note = document.createElement('small');
    const figure = document.createElement('div');
    made.dataset.id = plot.id;
    figure.className = 'figure';
    title.append(plot.title, note);
    made.append(title, figure);
    return made;
  }

  async function draw(id) {
    const plot = figures.get(id);
    if (!plot || plot.drawn) return;
    plot.drawn = true;
    plot.section.dataset.seen = '1';
    const figure = plot.section.querySelector('.figure');
    try {
      const {data, layout} = JSON.parse(plot.text);
      const kinds = new Set((data ?? []).map((trace) => trace.type ?? 'scatter'));
      const wide = kinds.has('sankey') || kinds.has('parcoords') || (kinds.has('table') && widest(data) > 6);
      plot.section.classList.toggle('wide', wide);
      const tall = Math.min(Number(layout?.height) || 0, 900);
      figure.style.height = `${kinds.has('table') ? tableHeight(data) : tall || 360}px`;
      await Plotly.react(figure, (data ?? []).map(toned), dressed(layout ?? {}, kinds), {
        responsive: true, displaylogo: false, plotlyServerURL: '', modeBarButtonsToRemove: ['sendChartToCloud', 'select2d', 'lasso2d'], topojsonURL: '/none/',
      });
    } catch (error) {
      figure.style.height = 'auto';
      figure.className = 'figure problem';
      figure.textContent = `This plot can't be drawn: ${error.message}`;
    }
    tell();
  }

  function widest(data) {
    return Math.max(...data.map((trace) => trace.header?.values?.length ?? 0));
  }

  function tableHeight(data) {
    const rows = Math.max(1, ...data.map((trace) => trace.cells?.values?.[0]?.length ?? 0));
    return Math.min(70 + rows * 30, 520);
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // Tables come with colours for a light page.
  function toned(trace) {
    if (trace.type !== 'table') return trace;
    const part = (one, strong) => ({
      ...one,
      fill: {color: strong ? colour('--line') : colour('--card')},
      line: {width: 1, color: colour('--line')},
      font: {...one?.font, color: colour('--text'), family: 'inherit', size: 12},
    });
    return {...trace, header: part(trace.header, true), cells: {height: 28, ...part(trace.cells, false)}};
  }

  function dressed(layout, kinds) {
    const axis = {gridcolor: colour('--line'), zerolinecolor: colour('--line'), linecolor: colour('--line'), automargin: true};
    const axes = Object.fromEntries(Object.keys({xaxis: 0, yaxis: 0, ...layout}).filter((name) => /^[xy]axis\d*$/.test(name))
      .map((name) => [name, {...axis, ...layout[name]}]));
    const {width, height, template, ...rest} = layout;
    return {
      ...rest, ...axes,
      title: undefined,
      autosize: true,
      modebar: {bgcolor: 'rgba(0,0,0,0)', color: colour('--muted'), activecolor: colour('--text')},
      paper_bgcolor: 'transparent',
      plot_bgcolor: 'transparent',
      font: {...layout.font, color: colour('--text'), family: 'system-ui, sans-serif'},
      margin: kinds.has('table') ? {l: 2, r: 2, t: 8, b: 2} : {l: 52, r: 18, t: 18, b: 44},
      legend: {orientation: 'h', y: -0.18, ...layout.legend},
    };
  }

  function tell() {
    parent.postMessage({kind: 'height', height: Math.ceil(place.getBoundingClientRect().height) + 4}, '*');
  }
  parent.postMessage({kind: 'ready'}, '*');
})();
