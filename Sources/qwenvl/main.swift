print("qwenvl")
