import { type DynamicPeer, expose } from "../../src/index.ts";

/** A class as users write it, with standard decorators. Compiled by its test, since the runner reads none. */
export class Home {
  #calls = 0;

  @expose
  count(): number {
    return ++this.#calls;
  }

  @expose("do_something")
  doIt(foo: number): number {
    return foo * 7;
  }

  @expose("who", { passPeer: true })
  async askName(peer: DynamicPeer): Promise<string> {
    return String(await peer.rpc("name"));
  }

  @expose({ passPeer: true })
  async greet(peer: DynamicPeer, greeting: string): Promise<string> {
    return `${greeting} ${String(await peer.rpc("name"))}`;
  }

  hidden(): string {
    return "nobody may call this";
  }
}

export class QuietHome extends Home {
  // In the place of a method that was marked, and not marked itself.
  override count(): number {
    return -1;
  }
}

export const mistakes: readonly (() => unknown)[] = [
  () => {
    class Private {
      @expose()
      #secret(): void {
        // Never called.
      }
      use(): void {
        this.#secret();
      }
    }
    return Private;
  },
  () => {
    class Static {
      @expose()
      static build(): Static {
        return new Static();
      }
      use(): void {
        // Something that is not static.
      }
    }
    return Static;
  },
  () => {
    class Symbolic {
      @expose()
      [Symbol.iterator](): void {
        // Never called.
      }
    }
    return Symbolic;
  },
];
