import { useEffect, useEffectEvent } from "react";
import { useLocation } from "wouter";
import { turnTimes } from "../data/use-times.ts";
import { PLACES } from "./places.ts";

const FOLLOW_MS = 1500;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** `/` searches, `g` and a letter go somewhere, `t` turns the times, `?` shows them all. Nothing is taken from who is typing. */
export function useKeys(help: () => void): void {
  const [, go] = useLocation();
  const onHelp = useEffectEvent(help);
  const onGo = useEffectEvent((path: string) => go(path));
  useEffect(() => {
    // Not 0: events are timed from when the page was opened, and its first seconds would all come after a `g`.
    let leaving = Number.NEGATIVE_INFINITY;
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const isSecond = event.timeStamp - leaving < FOLLOW_MS;
      leaving = Number.NEGATIVE_INFINITY;
      if (isSecond) {
        const place = PLACES.find(({ key }) => key === event.key);
        if (place === undefined) return;
        event.preventDefault();
        onGo(place.path);
      } else if (event.key === "g") leaving = event.timeStamp;
      else if (event.key === "?") onHelp();
      else if (event.key === "t") turnTimes();
      else if (event.key === "/") {
        const field = document.querySelector<HTMLInputElement>("input[data-search]");
        if (field === null) return;
        event.preventDefault();
        field.focus();
        field.select();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
