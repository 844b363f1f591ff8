/** Reports: texts in Markdown, and what can be done with them. */
import {h} from '../core/dom.js';
import {call} from '../core/api.js';
import {reportLink} from '../core/links.js';
import {go} from '../core/router.js';
import {ask, confirm, field} from '../parts/dialog.js';
import {attempt, toast} from '../parts/toast.js';

export const FIELDS = ['id', 'name', 'status', 'project', 'user', 'tags', 'system_tags', 'comment', 'created', 'last_update'];

/** @param {string} name of a report's own hidden project */
export function ownerName(name) {
  return name.replace(/\/?\.reports$/, '');
}

/** Make a report and go there. */
export async function make() {
  const name = h('input', {name: 'name', required: true});
  const made = await ask({title: 'New report', body: field('Name', name), act: 'Make', done: () => call('reports.create', {name: name.value, report: `# ${name.value}\n`})});
  if (made) go(reportLink({id: made.id, project: made.project_id}));
}

/**
 * @param {any} report
 * @param {(how?: string) => any} changed
 */
export async function edit(report, changed) {
  const name = h('input', {name: 'name', value: report.name, required: true});
  const tags = h('input', {name: 'tags', value: (report.tags ?? []).join(', ')});
  const text = h('textarea', {name: 'report', rows: 20, class: 'code', value: report.report ?? ''});
  const done = await ask({
    title: 'Edit this report', act: 'Save', body: [field('Name', name), field('Tags', tags, 'Separated by commas.'), field('Text', text, 'Markdown.')],
    done: () => call('reports.update', {task: report.id, name: name.value, report: text.value, tags: tags.value.split(',').map((/** @type {string} */ tag) => tag.trim()).filter(Boolean)}),
  });
  if (done) { toast('Saved.'); changed(); }
}

/**
 * The menu of a report.
 * @param {any} report
 * @param {(how?: string) => any} changed called after an act
 * @returns {import('../parts/menu.js').Item[]}
 */
export function acts(report, changed) {
  const archived = (report.system_tags ?? []).includes('archived');
  const draft = report.status === 'created';
  return [
    {text: 'Publish …', disabled: !draft, act: async () => {
      if (await confirm('Publish this report?', 'From then on it stays as it is.', 'Publish', () => call('reports.publish', {task: report.id, message: ''}))) { toast('Published.'); changed(); }
    }},
    {text: archived ? 'Take out of the archive' : 'Archive', act: async () => {
      if (await attempt(() => call(archived ? 'reports.unarchive' : 'reports.archive', {task: report.id}))) changed();
    }},
    null,
    {text: 'Delete …', danger: true, act: async () => {
      if (await confirm(`Delete ${report.name}?`, "This can't be undone.", 'Delete', () => call('reports.delete', {task: report.id, force: true}))) { toast('Deleted.'); changed('deleted'); }
    }},
  ];
}
