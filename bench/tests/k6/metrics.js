import { notes } from "k6";

export class Rate {
  constructor(name) {
    this.name = name;
  }

  add(value) {
    notes[this.name].push(value);
  }
}
