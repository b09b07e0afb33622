// Names that nobody has used before: tests run beside each other on one gateway, and one that failed is tried again there.

let number = 0;

/** A word that is new at each call, in this run and in those beside it: good for a local part, a label of a domain and a name. */
export const fresh = (word) => `${word}-${Date.now().toString(36)}-${process.pid}-${(number += 1)}`;

/** The times of the demo's weeks, as fields of an address: no live mail comes into them while the tests run. */
export const week = () => `from=now-7d${process.env.WEEK_END ? `&to=${process.env.WEEK_END}` : ''}`;
