import { notes } from "k6";

// Answers in their order, the last one again and again: {status, body}, body being text.
export const answers = [];

export default {
  post(url, body, params) {
    notes.posts.push({ url, body: JSON.parse(body), params });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return { ...answer, json: () => JSON.parse(answer.body) };
  },
};
