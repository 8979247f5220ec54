"""(vocabulary of sandbox: written with the room)"""
