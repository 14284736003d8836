/** A worker of a module script, from wherever the page had it from. */
export function workerFrom(url: string): Worker {
  if (new URL(url).origin === location.origin) return new Worker(url, { type: 'module' });
  const blob = URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: 'text/javascript' }));
  return new Worker(blob, { type: 'module' });
}
