import { type KeyboardEvent, type RefObject, useRef } from "react";
import type { Problem } from "./problems.tsx";
import styles from "./yaml-editor.module.css";

interface Props {
  readonly area: RefObject<HTMLTextAreaElement | null>;
  readonly text: string;
  readonly problems: readonly Problem[];
  readonly onChange: (text: string) => void;
}

/** A text field with numbers beside its lines. Escape, then Tab leaves it by the keyboard. */
export function YamlEditor({ area, text, problems, onChange }: Props) {
  const numbers = useRef<HTMLDivElement>(null);
  const isLeaving = useRef(false);
  const wrong = new Set(problems.map(({ line }) => line));
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === "Escape") isLeaving.current = true;
    if (event.key !== "Tab" || event.shiftKey || isLeaving.current) return;
    event.preventDefault();
    const { currentTarget: field } = event;
    field.setRangeText("  ", field.selectionStart, field.selectionEnd, "end");
    onChange(field.value);
  };
  return (
    <div className={styles.editor}>
      <div className={styles.numbers} ref={numbers} aria-hidden>
        {text.split("\n").map((_, index) => (
          <div key={index} data-wrong={wrong.has(index + 1) || undefined}>
            {index + 1}
          </div>
        ))}
      </div>
      <textarea
        ref={area}
        className={styles.text}
        aria-label="configuration as YAML"
        aria-invalid={problems.length > 0}
        value={text}
        wrap="off"
        spellCheck={false}
        autoCapitalize="off"
        autoCorrect="off"
        onChange={(event) => onChange(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        onFocus={() => (isLeaving.current = false)}
        onScroll={(event) => {
          if (numbers.current) numbers.current.scrollTop = event.currentTarget.scrollTop;
        }}
      />
    </div>
  );
}
