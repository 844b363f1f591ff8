/** All pipelines, with how their last runs went. */
import {h, keyed, put} from '../core/dom.js';
import {call} from '../core/api.js';
import {duration, ran} from '../core/format.js';
import {pipelineLink} from '../core/links.js';
import {pipelineName, pipelineProjects} from '../data/pipelines.js';
import {empty, head, waiting, when} from '../parts/blocks.js';
import {badge, word} from '../parts/status.js';
import {newRun} from './new-run.js';

const LAST = 12;

/** @param {import('../core/router.js').Context} context */
export default async function pipelines({root, signal, live, title}) {
  title('Pipelines');
  const grid = h('div', {class: 'cards'});
  put(root, head({title: 'Pipelines'}), waiting(), grid);

  async function refresh() {
    const projects = await pipelineProjects(signal);
    const found = await Promise.all(projects.map(async (/** @type {any} */ project) => {
      const {tasks} = await call('tasks.get_all', {
        project: [project.id], system_tags: ['__$and', 'pipeline', '__$not', 'archived'], order_by: ['-last_update'], page: 0, page_size: LAST,
        only_fields: ['id', 'name', 'status', 'started', 'completed', 'last_update', 'project', 'type', 'active_duration', 'status_reason'], search_hidden: true,
      }, {signal});
      return {...project, runs: tasks};
    }));
    root.querySelector('.waiting')?.remove();
    keyed(grid, found.filter((project) => project.runs.length), (project) => project.id, cardOf);
    const none = root.querySelector('.empty');
    if (grid.childElementCount) none?.remove();
    else if (!none) root.append(empty('No pipelines yet.', ['Start one with ', h('code', null, 'sightline run configs/demo.yaml'), ', or with any PipelineController of the SDK.']));
  }

  /** @param {any} first */
  function cardOf(first) {
    const body = h('div', null);
    const {owner, name} = pipelineName(first.name);
    const element = h('article', {class: 'card pipeline-card'},
      h('header', null, h('h2', null, h('a', {href: `/pipelines/${first.id}/tasks`}, name), h('small', null, owner)),
        h('button', {type: 'button', on: {click: () => newRun(element.last.id)}}, 'New run')), body);
    element.update = (/** @type {any} */ project) => {
      const [last] = project.runs;
      element.last = last;
      put(body, h('a', {class: 'last-run', href: pipelineLink(last)}, badge(last.status, last.status_reason), h('span', null, last.name), h('span', {class: 'hint'}, duration(ran(last)), ' · ', when(last.last_update))),
        h('div', {class: 'runs-strip', 'aria-label': 'Last runs'}, [...project.runs].reverse().map((run) => (
          h('a', {href: pipelineLink(run), data: {status: run.status}, title: `${run.name}: ${word(run.status)}`, 'aria-label': `${run.name}: ${word(run.status)}`})))));
    };
    element.update(first);
    return element;
  }

  await live(refresh, 5000);
}
