import { durationWords } from "../data/time-words.ts";
import { useNow } from "../data/use-now.ts";

export function Countdown({ to }: { to: number }) {
  const left = to - useNow();
  return <span>{left > 0 ? `, expires in ${durationWords(Math.ceil(left / 1000) * 1000)}` : ", expires now"}</span>;
}
