import { Nothing } from "../parts/states.tsx";
import { diffLines } from "./diff-lines.ts";
import styles from "./diff-view.module.css";

const SIGNS = { same: " ", added: "+", removed: "−", place: "" };

export function DiffView({ diff }: { diff: string }) {
  const lines = diffLines(diff);
  if (lines.length === 0) return <Nothing>Nothing is different from what is saved.</Nothing>;
  return (
    <div className={styles.scroll} tabIndex={0} role="region" aria-label="difference">
      <table className={styles.diff}>
        <tbody>
          {lines.map(({ kind, text, before, after }, index) => (
            <tr key={index} data-kind={kind}>
              <td>{before}</td>
              <td>{after}</td>
              <td>
                <span aria-label={kind === "same" || kind === "place" ? undefined : kind}>{SIGNS[kind]}</span> {text}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
