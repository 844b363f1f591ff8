/** An address that leads nowhere. */
import {h, put} from '../core/dom.js';
import {empty} from '../parts/blocks.js';

/** @param {import('../core/router.js').Context} context */
export default function missing({root, title}) {
  title('No such page');
  put(root, empty('There is no page at this address.', h('a', {href: '/'}, 'To the overview')));
}
