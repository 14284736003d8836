// navigator.webFabric, webIdentity and webKernel for pages, with the tab behind them: <script type="module" src="https://NODE/sdk/fabric.js"></script>

import { install } from './surface.js';
import { TabBacking } from './tab.js';

const backing = new TabBacking(new URL('.', import.meta.url).href);

/** False where the browser has these of its own. */
export const installed = install(backing);
/** Content for tasks and images. */
export const provide = (bytes: Uint8Array): Promise<{ cid: string; hash: string }> => backing.provide(bytes);
export const content = (cid: string): Uint8Array | undefined => backing.content(cid);
