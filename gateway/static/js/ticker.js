// @ts-check
// A worker that only ticks: the browser slows down the timers of a hidden page, not those of its worker.
setInterval(() => postMessage(0), 250);
