# The program of an actor: does what the message says, as programs in containers were written.
from agavepy.actors import get_binary_message, get_context, send_bytes_result, send_python_result, update_state


def main():
    context = get_context()
    print(f"Message: {context.raw_message}")
    if context.raw_message is None:
        send_bytes_result(get_binary_message()[::-1])
        return
    action = context.message_dict.get("action")
    if action == "count":
        state = eval(context["state"] or "{}")
        update_state({"count": state.get("count", 0) + 1})
    elif action == "fail":
        raise SystemExit(3)
    else:
        send_python_result({"seen": dict(context.message_dict), "by": context.username, "id": context["actor_id"]})
        send_bytes_result(context.execution_id.encode())


if __name__ == "__main__":
    main()
