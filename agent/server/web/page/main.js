/** The page's beginning: logs in, draws the frame, and follows addresses. */
import {put} from './core/dom.js';
import {enter, renew, token} from './core/session.js';
import {route, start} from './core/router.js';
import {frame} from './frame.js';

route('/', () => import('./pages/overview.js'));
route('/dashboard', () => import('./pages/overview.js'));
route('/login', () => import('./pages/overview.js'));
route('/search', () => import('./pages/search.js'));
route('/projects', () => import('./pages/projects.js'));
route('/projects/:project/compare/:ids', () => import('./pages/compare.js'));
route('/projects/:project/compare-tasks/:ids/*', () => import('./pages/compare.js'));
for (const kind of ['tasks', 'experiments']) {
  route(`/projects/:project/${kind}`, () => import('./pages/tasks.js'));
  route(`/projects/:project/${kind}/:task/*`, () => import('./pages/task.js'));
  route(`/pipelines/:project/${kind}/:task/*`, () => import('./pages/pipeline.js'));
  route(`/pipelines/:project/${kind}`, () => import('./pages/runs.js'));
  route(`/datasets/simple/:project/${kind}/:task/*`, () => import('./pages/dataset.js'));
  route(`/datasets/simple/:project/${kind}`, () => import('./pages/datasets.js'));
}
route('/projects/:project/models', () => import('./pages/models.js'));
route('/projects/:project/models/:model/*', () => import('./pages/model.js'));
route('/projects/:project', () => import('./pages/projects.js'));
route('/projects/:project/overview', () => import('./pages/projects.js'));
route('/pipelines', () => import('./pages/pipelines.js'));
route('/datasets', () => import('./pages/datasets.js'));
route('/reports', () => import('./pages/reports.js'));
route('/reports/:project/:report/*', () => import('./pages/report.js'));
route('/models', () => import('./pages/models.js'));
route('/workers-and-queues/*', () => import('./pages/workers.js'));

const app = /** @type {HTMLElement} */ (document.getElementById('app'));

async function begin() {
  if (!token() && !(await enter())) return;
  const {outlet, tell} = frame(app);
  start(outlet, tell);
  await renew();
}

window.addEventListener('sightline:login', async () => {
  const {login} = await import('./pages/login.js');
  put(app, login());
});
begin().catch((error) => put(app, error.message));
