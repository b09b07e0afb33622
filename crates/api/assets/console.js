// What every page has: shortcuts and their sheet, the pulse, menus, messages.
// Each part is a module of its own; nothing here is needed to use the console.
import './keys.js';
import './pulse.js';
import './menus.js';
import './complete.js';
import './countdown.js';
import './tabs.js';
